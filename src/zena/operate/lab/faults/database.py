"""The database: locks, rights, columns, indexes, connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import asyncpg

from zena.kit.beside import beside
from zena.operate.lab.contract import Asked, Fault, Way
from zena.operate.lab.place import Place

_TASKS: Final[tuple[Asked, ...]] = ((Way.GET, "/api/v1/app/tasks?limit=20"), (Way.GET, "/api/v1/app/projects"))
_LABELS: Final[tuple[Asked, ...]] = ((Way.GET, "/api/v1/app/labels"), *_TASKS)
_DASHBOARD: Final[tuple[Asked, ...]] = ((Way.GET, "/dashboard"),)
_SIGN_IN: Final[tuple[Asked, ...]] = ((Way.POST, "/api/v1/auth/login"),)
_A2: Final = frozenset({"A2"})
#: A lock is held for so long and let go for so long, seconds: what waits is slow, and does not fail.
_HELD, _FREE = 0.7, 0.2
#: What a session hears that a remedy has ended.
_ENDED: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_LOCK: Final = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE"
_CONNECTIONS: Final = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
     - current_setting('reserved_connections')::int
     - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""


def switched(fault: Fault, there: str, back: str) -> Fault:
    """Return a fault that one statement puts in and another takes back."""

    async def heal(place: Place) -> None:
        with suppress(asyncpg.UndefinedColumnError):  # as it should be
            await place.sql(back)

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        await place.sql(there)
        try:
            yield
        finally:
            await heal(place)

    return replace(fault, broken=broken, heal=heal)


def _locked(table: str) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """Hold a table again and again, as a migration without a lock timeout does."""

    async def hold(place: Place) -> None:
        with suppress(*_ENDED):
            async with place.session(place.urls.owner) as conn:
                while True:
                    async with conn.transaction():
                        await conn.execute(_LOCK.format(table))
                        await asyncio.sleep(_HELD)
                    await asyncio.sleep(_FREE)

    @asynccontextmanager
    async def broken(place: Place) -> AsyncIterator[None]:
        async with beside(hold(place)):
            yield

    return broken


@asynccontextmanager
async def _left_open(place: Place) -> AsyncIterator[None]:
    """Somebody's program begins a transaction, and does nothing in it."""
    async with place.session(place.urls.app) as conn:
        await conn.execute("BEGIN")
        await conn.execute("SELECT 1")
        try:
            yield
        finally:
            with suppress(*_ENDED):
                await conn.execute("ROLLBACK")


@asynccontextmanager
async def _strangers(place: Place) -> AsyncIterator[None]:
    """Another program takes all but two of the connections that are left."""
    async with AsyncExitStack() as held:
        for _ in range(await place.value(_CONNECTIONS) - 2):
            conn: Any = await asyncpg.connect(place.urls.app, server_settings={"application_name": "reports"})
            held.push_async_callback(conn.close)
        yield


FAULTS: Final = (
    Fault("dashboard-lock", "a table of the dashboard is locked again and again", "D1", "lock", _DASHBOARD,
          frozenset({"B1", "A1", "B2"}), broken=_locked("project")),
    Fault("task-lock", "a table of the API is locked again and again", "A1", "lock", _TASKS, frozenset({"B1", "B2"}),
          broken=_locked("task")),
    Fault("statement-lock", "one statement waits for locks", "B1", "lock", _LABELS, frozenset({"A1", "B2"}),
          broken=_locked("label")),
    switched(
        Fault("column-renamed", "a migration renamed a column, and the code does not know", "A2", "schema_behind",
              _LABELS),
        "ALTER TABLE label RENAME COLUMN name TO title",
        "ALTER TABLE label RENAME COLUMN title TO name",
    ),
    switched(
        Fault("right-revoked", "the application lost a right", "A2", "right_missing", _LABELS),
        "REVOKE SELECT ON label FROM zena_app",
        "GRANT SELECT ON label TO zena_app",
    ),
    switched(
        Fault("sign-in-column", "a column of accounts was renamed", "U1", "schema_behind", _SIGN_IN, _A2),
        # Whoever mistyped too often before is refused without a look at the accounts.
        "DELETE FROM throttle; ALTER TABLE user_account RENAME COLUMN password_hash TO hash",
        "ALTER TABLE user_account RENAME COLUMN hash TO password_hash",
    ),
    switched(
        Fault("sign-in-right", "the application may not read accounts", "U1", "right_missing", _SIGN_IN, _A2),
        "DELETE FROM throttle; REVOKE SELECT ON user_account FROM zena_app",  # as above
        "GRANT SELECT ON user_account TO zena_app",
    ),
    Fault("left-open", "a program leaves a transaction open", "B2", "left_open", broken=_left_open),
    Fault("strangers", "another program takes the connections", "B2", "strangers", broken=_strangers),
)  # fmt: skip
