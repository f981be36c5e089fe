"""Who comes in while an operator has switched changes off, or has closed the installation to everybody else."""

from typing import Any, Final

from litestar import Request

from zena.accounts.credentials import credential_of
from zena.accounts.entry import ENTER_SQL, WRITES_ANYWAY
from zena.kit.csrf import SAFE_METHODS
from zena.kit.maintenance import Mode
from zena.kit.state import State, state_of

#: Coming and going: sessions begin, move and end at any time, so that operators can come in and thieves be put out.
#: And what operators order, so that they can switch changes on again.
SESSION_ROUTES: Final = frozenset(
    {
        "/sign-in",
        "/sign-in/code",
        "/sign-in/link/{token}",
        "/sign-out",
        "/support/departure",
        "/confirm",
        "/ops/incidents/{number}/orders",
        "/firms/{tenant_id}",
        "/profile/sessions/{session_id}/end",
        "/profile/sessions/end",
        "/api/v1/auth/login",
        "/api/v1/auth/mfa",
        "/api/v1/auth/logout",
        "/api/v1/auth/confirmation",
        "/api/v1/auth/ticket",
        "/api/v1/me/sessions",
        "/api/v1/me/sessions/{session_id}",
        "/api/v1/me/tenants/{tenant_id}/activation",
    }
)
#: Looking after the installation, and what a closed page itself needs. None of them writes. The socket closes itself.
OPEN_ROUTES: Final = frozenset(
    {
        "/api/v1/health",
        "/api/v1/health/detail",
        "/api/v1/health/ready",
        "/api/v1/health/live",
        "/api/v1/metrics",
        "/api/v1/observability/request/{request_id}",
        "/static/{version}/{path}",
    }
)


async def refuse_in_maintenance(request: Request[Any, Any, Any]) -> None:
    """Raise 503 MAINTENANCE for changes while they are off, for everything while the installation is closed.

    While it is closed operators pass, and may write: whoever repairs wants to see that it works before others do.
    """
    state = state_of(request)
    if state.gate.is_up:
        return
    route, safe = request.scope.get("path_template", ""), request.method in SAFE_METHODS
    if route in OPEN_ROUTES:
        return
    if route in SESSION_ROUTES:
        request.scope["state"][WRITES_ANYWAY] = True
    elif state.gate.mode is Mode.READ_ONLY:
        if not safe:
            raise state.gate.refusal()
    elif await _is_operator(request, state):
        request.scope["state"][WRITES_ANYWAY] = True
    else:
        raise state.gate.refusal()


async def _is_operator(request: Request[Any, Any, Any], state: State) -> bool:
    credential = credential_of(request, state)
    if credential is None:
        return False
    async with state.db.lend() as conn:
        row = await conn.fetchrow(ENTER_SQL, credential.kind, credential.digest)
    return bool(row and row["is_operator"])
