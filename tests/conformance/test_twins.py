"""A form and its JSON twin leave the same rows, events, audit entries and jobs; and refuse alike, in the same words."""

import html
from typing import Any

import httpx
import pytest

from tests.conformance.crawl import PARAMETER, routes
from tests.conformance.rows import likeness, picture
from tests.conformance.sides import Side
from tests.conformance.twins import ALONE, OTHERWISE, TWINS
from tests.conformance.twins.shape import Form, Twin
from tests.matrix import CALLERS, Row
from tests.matrix.world import all_rows
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State

#: What the API refuses with where a page shows its form again, as 422.
AGAIN = frozenset({401, 409, 412, 422})
#: Parameters of the table that the rows of the matrix call by another name.
SAME = {"viewer": "member_id", "member": "member_id", "empty_key": "project_key", "empty_id": "project_id"}
REFUSED = [pytest.param(twin, *pair, id=f"{twin} {pair[0]}") for twin in TWINS for pair in twin.bad]


def _route(route: str) -> str:
    """Return a route as the matrix and the application name it."""
    return PARAMETER.sub(lambda match: f"{{{SAME.get(match[1], match[1])}}}", route)


@pytest.mark.parametrize("twin", TWINS, ids=str)
async def test_both_leave_the_same_behind(twin: Twin, state: State, http: httpx.AsyncClient, urls: ClusterUrls) -> None:
    left = []
    for api in (False, True):
        side = await _ready(twin, state, http)
        before = await picture(urls, side)
        answer = await _send(twin, side, api=api)
        assert answer.status_code < 400, f"{answer.request.url.path}: {answer.status_code} {answer.text[:600]}"
        assert "/confirm" not in answer.headers.get("location", ""), "nobody is asked again who they are"
        after = await picture(urls, side)
        left.append((likeness(side, before - after), likeness(side, after - before)))
    assert left[0] == left[1]
    assert left[0] != ([], []), "a verb leaves something, or it is none"


@pytest.mark.parametrize(("twin", "form", "body"), REFUSED)
async def test_both_refuse_in_the_same_words(
    twin: Twin, form: Form, body: Any, state: State, http: httpx.AsyncClient, urls: ClusterUrls
) -> None:
    """The page shows the form again with the sentence of the problem document, and neither changes a row."""
    side = await _ready(twin, state, http)
    before = await picture(urls, side)
    page = await side.form(twin.page, form, twin.by)
    problem = await side.json(twin.api, body, twin.by)
    assert (page.status_code, problem.status_code in AGAIN) == (422, True), f"{page.status_code} {problem.text[:500]}"
    shown = html.unescape(page.text)
    for sentence in _sentences(problem.json()):
        assert sentence in shown, sentence
    assert await picture(urls, side) == before


def test_both_answer_every_caller_alike() -> None:
    """The rows of the matrix, which each caller is held against, say the same for a page and its twin."""
    rows = {_route(f"{row.method} {row.path}"): row for row in all_rows()}
    unlike = {
        str(twin): differing
        for twin in TWINS
        if (differing := _differing(rows[_route(twin.page)], rows[_route(twin.api)]))
    }
    assert {name: differing for name, differing in unlike.items() if name not in OTHERWISE} == {}
    assert OTHERWISE.keys() <= unlike.keys(), "reasons for what is alike"


async def test_every_page_that_changes_something_has_its_twin(state: State) -> None:
    pages = {f"{route.method} {route.path}" for route in routes(state, safe=False) if not _is_api(route.path)}
    known = {_route(twin.page) for twin in TWINS}
    assert pages - known - set(ALONE) == set(), "pages that change something without a twin"
    assert (known | set(ALONE)) - pages == set(), "twins of no page"
    assert known & set(ALONE) == set()


def _is_api(path: str) -> bool:
    return path.startswith("/api/")


def _differing(page: Row, api: Row) -> dict[str, tuple[str, str]]:
    """Return what a page and its twin are to each caller to whom they are not the same."""
    kinds = {who: (_kind(page.expected(who), page, who), _kind(api.expected(who), api, who)) for who in CALLERS}
    return {who: (first, second) for who, (first, second) in kinds.items() if first != second}


def _kind(status: int, row: Row, who: str) -> str:
    """Return what an answer is to its caller, in a page's status or in that of the API."""
    if who == "anonymous" and status == (401 if _is_api(row.path) else 303):
        return "sign in first"
    if status < 400:
        return "taken"
    return {403: "not allowed", 404: "nothing there"}.get(status, "refused")


def _sentences(problem: dict[str, Any]) -> list[str]:
    """Return what a problem document says: of each field, else of the whole."""
    fields = problem["details"].get("fields", [])
    return [field["message"] for field in fields] or [problem["detail"]]


async def _ready(twin: Twin, state: State, http: httpx.AsyncClient) -> Side:
    side = await Side.made(state, http)
    if twin.first:
        await twin.first(side)
    return side


async def _send(twin: Twin, side: Side, *, api: bool) -> httpx.Response:
    if api:
        return await side.json(twin.api, twin.json, twin.by, twin.files)
    return await side.form(twin.page, twin.form, twin.by, twin.files)
