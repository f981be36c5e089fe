"""B01, B07, B08: every route, tried by every caller."""

import re

import httpx
import pytest

from tests.factories.firms import As
from tests.matrix import CALLERS, Row
from tests.matrix.world import Furnished, all_rows, furnish
from zena.accounts.permissions import Role
from zena.kit.access import Access
from zena.kit.csrf import form_token
from zena.kit.state import State
from zena.main import routes_of

SAFE = {"GET", "HEAD"}
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@pytest.fixture(scope="module")
async def shared_world(state: State) -> Furnished:
    """A world for calls that change nothing: safe ones and refused ones."""
    return await furnish(state)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("row", all_rows(), ids=lambda row: f"{row.method} {row.path}")
async def test_B01_each_caller_gets_the_status_of_its_row(
    row: Row, caller: str, state: State, http: httpx.AsyncClient, shared_world: Furnished
) -> None:
    changes = row.method not in SAFE and row.expected(caller) < 400
    world = await furnish(state, row) if changes else shared_world
    response = await _call(row, caller, world, http)
    assert response.status_code == row.expected(caller), response.text[:600]
    if caller == "other_tenant" and row.expected(caller) < 500:
        assert str(world.firm.tenant) not in response.text.replace(response.request.url.path, "")  # which they sent
    if response.status_code >= 500:
        pytest.fail("a server error is never an answer to who asks")


async def test_B08_every_route_has_a_row(state: State) -> None:
    tried = {(row.method, _PARAMETER.sub(r"{\1}", row.path)) for row in all_rows()}
    routes = {(method, path) for method, path, _ in routes_of(state)}
    assert routes - tried == set(), "routes without a row"
    assert tried - routes == set(), "rows without a route"


async def test_B08_every_route_declares_its_demand(state: State) -> None:
    assert [path for _, path, opt in routes_of(state) if not isinstance(opt.get("access"), Access)] == []


async def _call(row: Row, caller: str, world: Furnished, http: httpx.AsyncClient) -> httpx.Response:
    path = _PARAMETER.sub(lambda match: world.ids[match[1]], row.path) + row.query
    speaker = _speaker(caller, world, http)
    options: dict[str, object] = {}
    if row.json:
        options["json"] = row.json(world.ids)
    if row.files:
        options["files"] = row.files(world.ids)
    headers = dict(row.headers(world.ids)) if row.headers else {}
    if (row.form or row.files) and speaker.caller:
        headers["x-zena-token"] = form_token(speaker.caller.form_secret)
    if row.form:
        options["data"] = dict(row.form(world.ids))
    return await speaker.send(row.method, path, headers=headers, **options)


def _speaker(caller: str, world: Furnished, http: httpx.AsyncClient) -> As:
    if caller == "anonymous":
        return As(http, None)
    if caller == "other_tenant":
        return As(http, world.stranger.people[Role.OWNER])
    return As(http, world.firm.people[Role(caller)])
