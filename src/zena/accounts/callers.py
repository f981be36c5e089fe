"""What is kept of whoever calls: where from, with what, and whose session theirs would replace."""

from typing import Any

from litestar import Request

from zena.accounts.actions.sessions import Caller
from zena.accounts.entry import Entered
from zena.kit.visit import visit_of

AnyRequest = Request[Any, Any, Any]


def caller_of(request: AnyRequest, visitor: Entered | None = None) -> Caller:
    visit = visit_of(request.scope)
    return Caller(
        ip=visit.client or None,
        user_agent=request.headers.get("user-agent"),
        request_id=visit.request_id,
        replaces=visitor.identity if visitor else None,
    )
