"""Browsers for the people of these tests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.accounts.browser import Browser, Person, make_person
from tests.factories import Firm
from zena.kit.state import State


@pytest.fixture
def app(http: httpx.AsyncClient) -> object:
    """The application that `http` speaks to."""
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


@pytest.fixture
async def browser(app: object) -> AsyncIterator[Browser]:
    async with Browser(app) as made:
        yield made


@pytest.fixture
async def other_browser(app: object) -> AsyncIterator[Browser]:
    async with Browser(app) as made:
        yield made


@pytest.fixture
async def person(state: State, firm: Firm) -> Person:
    """A member with a password."""
    return await make_person(state, firm)
