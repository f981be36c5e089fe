"""Who may ask the installation about itself: an operator, or somebody on this very machine (J09)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request

from zena.accounts.facade import Entered
from zena.kit.db import Raw
from zena.kit.errors import Forbidden, Unauthorized, Unavailable
from zena.kit.state import State
from zena.kit.visit import visit_of


def may_know(request: Request[Any, Any, Any], visitor: Entered) -> bool:
    """Tell whether the caller is an operator, or calls from this machine."""
    return visit_of(request.scope).local or (visitor.identity is not None and visitor.identity.is_operator)


def check_operator(request: Request[Any, Any, Any], visitor: Entered) -> None:
    """Raise 401 for a stranger from elsewhere, 403 for anybody who is no operator."""
    if may_know(request, visitor):
        return
    if visitor.identity is None:
        raise Unauthorized
    raise Forbidden("operator")


@asynccontextmanager
async def reading(state: State) -> AsyncIterator[Raw]:
    """Lend a connection that reads measurements and statistics; 503 where no role for that is set up."""
    if state.reading is None:
        raise Unavailable("Set ZENA_DATABASE_OPS_READ_URL to read measurements.")
    async with state.reading.lend() as conn:
        yield conn
