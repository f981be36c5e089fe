"""A project to work in, and a way to ask the database whether everything adds up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_project
from zena.kit.state import State
from zena.work.checks import CHECKS

AddsUp = Callable[[Firm], Awaitable[None]]


@pytest.fixture
async def pm(firm: Firm, http: httpx.AsyncClient) -> As:
    return firm.client(http, "pm")


@pytest.fixture
def adds_up(state: State) -> AddsUp:
    """Assert that every invariant of work holds in a firm."""

    async def check(firm: Firm) -> None:
        async with state.db.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
            for one in CHECKS:
                assert await conn.fetch(one.sql, firm.tenant) == [], one.name

    return check


@pytest.fixture
async def project(state: State, firm: Firm, adds_up: AddsUp) -> AsyncIterator[UUID]:
    """A project in planning of the firm's project manager. Whatever is done to it, everything adds up afterwards."""
    yield await made_project(state, firm)
    await adds_up(firm)
