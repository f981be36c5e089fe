"""D01, B06: every route that changes something, called by a foreign page: refused, and not one row written."""

from typing import Any

import httpx
import pytest

from tests.conformance.crawl import Route, nothing_like, routes
from tests.factories import Firm
from tests.factories.firms import As
from tests.factories.recorder import recording
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.state import State

PLAIN = {"content-type": "text/plain"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
_NAMES = (
    "bulk_id", "comment_id", "dependency_id", "import_id", "invitation_id", "label_id", "member_id", "project_id",
    "session_id", "task_id", "tenant_id", "token_id", "visit_id",
)  # fmt: skip
IDS = dict.fromkeys(_NAMES, "00000000-0000-7000-8000-000000000000")
IDS |= {"number": "1", "token": "dead", "project_key": "ABC", "task_key": "ABC-1"}

#: What everybody may do with their own things.
OWN = ("/api/v1/me", "/api/v1/auth", "/api/v1/app/membership", "/membership", "/profile", "/sign", "/confirm", "/reset")

FOREIGN: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "https://zena.test"},
    {"origin": "https://evil.test"},
    {"origin": "https://zena.test.evil.test"},
    {"origin": "http://zena.test"},
    {"origin": "null"},
    {"referer": "https://zena.test/projects"},
]


@pytest.fixture(scope="module")
def unsafe(state: State) -> list[Route]:
    found = routes(state, safe=False)
    assert len(found) >= 90
    assert {name for route in found for name in route.names} <= set(IDS)
    return found


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_D01_another_site_changes_nothing_anywhere(
    unsafe: list[Route], firm: Firm, http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    cookie = {"cookie": firm.people[Role.OWNER].headers["cookie"]}
    for route in unsafe:
        for kind in (FORM, PLAIN, {"content-type": "application/json"}):
            with recording() as sent:
                answer = await http.request(route.method, route.at(IDS), content=b"{}", headers=cookie | headers | kind)
            assert answer.status_code == 403, f"{route} {answer.text[:200]}"
            assert sent.asked == [], route  # told before the database is asked who comes


async def test_D01_json_comes_as_json_and_forms_as_forms(
    unsafe: list[Route], firm: Firm, http: httpx.AsyncClient
) -> None:
    owner = firm.client(http)
    for route in unsafe:
        wrong = [PLAIN, {}, {"content-type": "application/xml"}]
        wrong.append(FORM if route.path.startswith("/api/") else {"content-type": "application/json"})
        for headers in wrong:
            with recording() as sent:
                answer = await owner.send(route.method, route.at(IDS), content=b'{"name": "x"}', headers=headers)
            assert answer.status_code == 415, f"{route} {headers} {answer.text[:200]}"
            assert sent.asked == [], route


async def test_D01_a_form_needs_the_token_of_its_own_session(
    unsafe: list[Route], firm: Firm, stranger: Firm, http: httpx.AsyncClient
) -> None:
    owner, colleague, foreigner = firm.people[Role.OWNER], firm.people[Role.ADMIN], stranger.people[Role.OWNER]
    tokens = ["", "x" * 44, form_token(colleague.form_secret), form_token(foreigner.form_secret)]
    for route in (route for route in unsafe if not route.path.startswith("/api/")):
        for token in tokens:
            for given in ({"data": {"_token": token}}, {"data": {"a": "b"}, "headers": {"x-zena-token": token}}):
                await _refused(As(http, owner), route, **given)


async def _refused(speaker: As, route: Route, **given: Any) -> None:
    with recording() as sent:
        answer = await speaker.send(route.method, route.at(IDS), **given)
    assert answer.status_code == 403, f"{route} {answer.text[:200]}"
    assert sent.writes == [], f"{route}\n{sent.listing()}"


async def test_B06_nobody_writes_without_a_session(unsafe: list[Route], anonymous: As) -> None:
    """Without a cookie a foreign page has no power; what needs a person still refuses before any write."""
    open_to_all = ("/sign-in", "/reset", "/set-up", "/invitation/", "/api/v1/auth/")
    for route in unsafe:
        if route.path.startswith(open_to_all):
            continue
        body: dict[str, Any] = {"json": {}} if route.path.startswith("/api/") else {"data": {"a": "b"}}
        with recording() as sent:
            answer = await anonymous.send(route.method, route.at(IDS), **body)
        assert answer.status_code == (401 if route.path.startswith("/api/") else 303), route
        assert sent.writes == [], f"{route}\n{sent.listing()}"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT])
async def test_B06_whoever_may_not_causes_no_write(
    unsafe: list[Route], state: State, firm: Firm, http: httpx.AsyncClient, role: Role
) -> None:
    """Refusals of the door and of the action alike come before the first write."""
    refused = 0
    for route in unsafe:
        speaker = firm.client(http, role)
        body: dict[str, Any] = {"json": {}}
        if not route.path.startswith("/api/"):
            body = {"data": {"_token": form_token(firm.people[role].form_secret)}}
        if route.path.startswith(OWN):
            continue
        with recording() as sent:
            answer = await speaker.send(route.method, route.at(nothing_like(IDS)), headers={"if-match": "*"}, **body)
        assert 300 <= answer.status_code < 500, f"{route} {answer.status_code}"
        if answer.status_code in {403, 404}:
            refused += 1
            assert sent.writes == [], f"{route} {answer.status_code}\n{sent.listing()}"
    assert refused >= 50


async def test_a_form_of_another_session_is_answered_by_a_page_that_says_what_to_do(
    firm: Firm, http: httpx.AsyncClient
) -> None:
    answer = await firm.client(http).post("/projects", data={"name": "x", "_token": "old"})
    assert answer.status_code == 403
    assert "Reload the page and send it again." in answer.text
    assert '<link rel="stylesheet"' in answer.text  # our page, not the plain one for when that fails
