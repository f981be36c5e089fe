"""What an operator who visits a firm as support may send, and that each request of theirs is written down first."""

from typing import Any, Final

from litestar import Request

from zena.accounts.actions.visits import note_look
from zena.kit.access import Door, access_of
from zena.kit.csrf import SAFE_METHODS
from zena.kit.errors import Forbidden
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.kit.state import State

#: What they may send all the same: nothing of it changes the firm.
VISITOR_ROUTES: Final = frozenset(
    {
        "/support/departure",
        "/sign-out",
        "/confirm",
        "/api/v1/auth/logout",
        "/api/v1/auth/confirmation",
        "/api/v1/auth/ticket",
    }
)


async def look(request: Request[Any, Any, Any], state: State, scope: Scope | None) -> None:
    """Write down what a visitor asks for, and refuse whatever would change something; nothing for anybody else.

    Their own console shows nothing of the firm, and is not written down there.
    """
    if scope is None or scope.support is None:
        return
    if access_of(request).door is not Door.OPERATOR:
        await note_look(state.db, scope, request.method, request.url.path)
    if request.method not in SAFE_METHODS and not may_write(request, scope):
        raise Forbidden(detail=N_("You look at %(firm)s as support: nothing can be changed.", firm=scope.tenant_name))


def may_write(request: Request[Any, Any, Any], scope: Scope | None) -> bool:
    """Tell whether the request's transaction may write."""
    visits = scope is not None and scope.support is not None
    return not visits or request.scope.get("path_template", "") in VISITOR_ROUTES
