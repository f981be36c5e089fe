"""Bodies that several routes share."""

from uuid import UUID

import msgspec
from litestar import Response

from zena.accounts.actions.sessions import Opened
from zena.accounts.callers import AnyRequest
from zena.accounts.cookies import session_cookie
from zena.kit.state import state_of


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Root of request bodies: an unknown field is an error, not an oversight (B04)."""


class SignedIn(msgspec.Struct, kw_only=True):
    """How far the caller has come. With stage `mfa`, send a code to /auth/mfa; with `full` everything is open.

    `tenant` is the firm the session acts in, None for somebody without one.
    """

    stage: str
    user: UUID
    tenant: UUID | None = None
    role: str | None = None


def signed_in_answer(request: AnyRequest, opened: Opened) -> Response[SignedIn]:
    """Answer with the stage and set the session's cookie."""
    scope = opened.scope
    body = SignedIn(stage=opened.stage, user=opened.user)
    if scope is not None:
        body.tenant, body.role = scope.tenant, scope.role
    return Response(body, status_code=200, cookies=[session_cookie(state_of(request), opened)])
