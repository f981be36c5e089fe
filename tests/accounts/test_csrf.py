"""D01: nothing unsafe happens because another site, or another session, wanted it."""

from typing import Any

import httpx
import pytest

from tests.accounts import matrix
from tests.accounts.browser import ORIGIN, as_ops
from tests.factories import Firm, make_firm
from tests.factories.firms import COOKIE
from tests.matrix import Row
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.state import State

UNSAFE = [row for row in matrix.ROWS if row.method != "GET"]
FORMS = [row for row in UNSAFE if row.form]
SIGNED = [row for row in FORMS if row.expected("anonymous") == 303]


@pytest.fixture(scope="module")
async def world(state: State) -> tuple[Firm, dict[str, str]]:
    firm = await make_firm(state.db)
    return firm, await matrix.furnish(state, firm)


async def _send(http: httpx.AsyncClient, row: Row, ids: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    http.cookies.clear()
    path = matrix_path(row.path, ids)
    options: dict[str, Any] = {"json": row.json(ids)} if row.json else {"data": row.form(ids)} if row.form else {}
    return await http.request(row.method, f"{ORIGIN}{path}", headers=headers, **options)


def matrix_path(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        for kind in ("uuid", "str"):
            path = path.replace("{" + f"{name}:{kind}" + "}", value)
    return path


def _name(row: Row) -> str:
    return f"{row.method} {row.path}"


async def _writes(state: State, firm: Firm) -> object:
    rows = await as_ops(
        state,
        "SELECT (SELECT position FROM tenant_head WHERE tenant_id = :t) AS events,"
        " (SELECT count(*) FROM session s JOIN membership m ON m.user_id = s.user_id"
        "   WHERE m.tenant_id = :t AND s.revoked_at IS NULL) AS sessions",
        t=firm.tenant,
    )
    return tuple(rows[0])


ELSEWHERE: dict[str, dict[str, str]] = {
    "silent": {},
    "foreign": {"origin": "https://evil.test"},
    "null": {"origin": "null"},
    "suffix": {"origin": "https://zena.test.evil.test"},
    "cross-site": {"sec-fetch-site": "cross-site", "origin": ORIGIN},
    "same-site": {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("row", UNSAFE, ids=_name)
async def test_D01_another_site_changes_nothing(
    row: Row, world: tuple[Firm, dict[str, str]], http: httpx.AsyncClient, state: State
) -> None:
    firm, ids = world
    owner = firm.people[Role.OWNER]
    before = await _writes(state, firm)
    known = {"cookie": f"{COOKIE}={owner.cookie}", "x-zena-token": form_token(owner.form_secret)}
    told = {name: (await _send(http, row, ids, known | origin)).status_code for name, origin in ELSEWHERE.items()}
    assert told == dict.fromkeys(ELSEWHERE, 403)
    assert await _writes(state, firm) == before


@pytest.mark.parametrize("row", SIGNED, ids=_name)
async def test_D01_a_form_needs_the_token_of_its_session(
    row: Row, world: tuple[Firm, dict[str, str]], http: httpx.AsyncClient, state: State
) -> None:
    firm, ids = world
    owner, other = firm.people[Role.OWNER], firm.people[Role.ADMIN]
    before = await _writes(state, firm)
    for strange in ("", form_token(other.form_secret), "nonsense"):
        headers = owner.headers | ({"x-zena-token": strange} if strange else {})
        assert (await _send(http, row, ids, headers)).status_code == 403
    assert await _writes(state, firm) == before


@pytest.mark.parametrize("row", [row for row in UNSAFE if row.json], ids=_name)
async def test_D01_json_comes_as_json(row: Row, world: tuple[Firm, dict[str, str]], http: httpx.AsyncClient) -> None:
    firm, ids = world
    url = f"{ORIGIN}{matrix_path(row.path, ids)}"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        headers = firm.people[Role.OWNER].headers | ({"content-type": kind} if kind else {})
        http.cookies.clear()
        answer = await http.request(row.method, url, headers=headers, content=b'{"email": "a@b.test"}')
        assert answer.status_code in {403, 415}
