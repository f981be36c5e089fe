"""Sessions of the operations role, for what is done to firms from outside of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from zena.kit.db import Database, DatabaseOptions
from zena.kit.state import State
from zena.settings import Role

#: Longest single statement, seconds: a large firm is copied table by table.
_TIMEOUT: Final = 3600.0


@asynccontextmanager
async def operations(state: State) -> AsyncIterator[Database]:
    """Open sessions of zena_ops, which sees all rows. LookupError without its URL."""
    options = DatabaseOptions(
        state.settings.dsn(Role.OPS), pool_size=2, statement_timeout=_TIMEOUT, application="zena-tenant"
    )
    db = Database(options, state.telemetry)
    try:
        yield db
    finally:
        await db.stop()
