"""Reading a firm's figures without HTTP: the transaction a page's handler stands in."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import pytest

from zena.kit.cache import Cache
from zena.kit.clock import FixedClock
from zena.kit.db import Raw
from zena.kit.scope import Scope
from zena.kit.state import State

Inside = Callable[[Scope], AbstractAsyncContextManager[Raw]]

#: A Tuesday noon in Ho Chi Minh City.
NOON = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


@pytest.fixture
def inside(state: State) -> Inside:
    """Open a raw connection bound to the scope's tenant, as a request's reader is."""

    @asynccontextmanager
    async def opened(scope: Scope) -> AsyncIterator[Raw]:
        async with state.db.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT set_config('app.tenant', $1, true)", str(scope.tenant))
            yield conn

    return opened


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
async def cache(clock: FixedClock) -> AsyncIterator[Cache]:
    made = Cache(clock=clock)
    await made.start()
    yield made
    await made.stop()
