"""B01, B02, B03, B09: what one firm may learn of another, tried on every address, as every role."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from tests.conformance.crawl import PARAMETER, Route, form_headers, nothing_like, routes, same_answer, told
from tests.conformance.rows import fingerprint
from tests.conformance.scene import APP, Scene, furnished
from tests.factories import Firm
from tests.matrix import Row
from tests.matrix.world import all_rows, slice_matrices
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State


@dataclass(slots=True)
class Pair:
    """Two firms with something in every field: `mine` asks, `other` must stay unknown."""

    mine: Scene
    other: Scene
    reading: list[Route]


@pytest.fixture(scope="module")
async def pair(state: State, http: httpx.AsyncClient) -> Pair:
    return Pair(await furnished(state, http), await furnished(state, http), routes(state, safe=True))


@pytest.mark.parametrize("role", Role)
async def test_B09_no_canary_of_another_firm_on_any_page(pair: Pair, role: Role) -> None:
    """Own ids, their ids, and each of their ids alone among own ones (B02)."""
    canaries, own, leaks = pair.other.canaries, 0, []
    for route in pair.reading:
        for ids in _substitutions(route, pair.mine.ids, pair.other.ids):
            sent = {name: ids[name] for name in route.names}
            answer = await pair.mine.by(role).get(route.at(ids))
            assert answer.status_code < 500, f"{route.path}: {answer.text[:500]}"
            own += pair.mine.mark in answer.text.lower()
            leaks += [f"{answer.request.url.path}: {word}" for word in told(answer, canaries, sent)]
    assert leaks == []
    assert own >= (8 if role is Role.CLIENT else 18), "the crawl must see what is its own, or it sees nothing"


async def test_B09_the_canaries_are_there_to_be_found(pair: Pair) -> None:
    """The same crawl by their owner finds every one of the other firm's words."""
    seen = ""
    for route in pair.reading:
        seen += (await pair.other.by().get(route.at(pair.other.ids))).text.lower()
    hidden = {pair.other.ids[name].lower() for name in ("token", "bulk_id")}  # told once, when they were made
    assert {word for word in pair.other.canaries - hidden if word not in seen} == set()


@pytest.mark.parametrize("role", Role)
async def test_B01_anothers_id_reads_like_one_that_does_not_exist(pair: Pair, role: Role) -> None:
    nobody = nothing_like(pair.other.ids)
    for route in pair.reading:
        if not set(route.names) - {"version", "path"}:
            continue
        theirs, none = ({name: ids[name] for name in route.names} for ids in (pair.other.ids, nobody))
        speaker = pair.mine.by(role)
        first = same_answer(await speaker.get(route.at(theirs)), theirs)
        assert first == same_answer(await speaker.get(route.at(none)), none), route.path
        assert first[0] in {403, 404, 410}, f"{route.path}: {first}"


SEARCHES = [
    (f"{APP}/projects", "q={mark}&count=1"),
    (f"{APP}/projects", "q={project_key}&status=planning,active&count=1"),
    (f"{APP}/tasks", "q={mark}&count=1"),
    (f"{APP}/tasks", "assignee={member_id}&count=1"),
    (f"{APP}/tasks", "label={label_id}&count=1"),
    (f"{APP}/tasks", "parent={task_id}&count=1"),
    (f"{APP}/tasks", "created_by={member_id}&count=1"),
    (f"{APP}/members", "q={mark}"),
    ("/members", "q={mark}"),
    ("/tasks", "q={mark}"),
    ("/tasks", "assignee={member_id}"),
    ("/tasks", "label={label_id}"),
    ("/projects/{my_key}", "q={mark}"),
    ("/projects/{my_key}", "assignee={member_id}"),
    ("/projects/{my_key}/board", "label={label_id}"),
    ("/audit", "action={mark}"),
    (f"{APP}/events", "channel=tenant:{tenant_id}:tasks"),
]


@pytest.mark.parametrize(("path", "query"), SEARCHES, ids=lambda value: value)
async def test_B09_no_filter_finds_another_firms_rows(pair: Pair, path: str, query: str) -> None:
    """Searching for their words and ids answers as for words and ids that nobody has, with totals of 0."""
    theirs = pair.other.ids | {"mark": pair.other.mark, "my_key": pair.mine.ids["project_key"]}
    nobody = nothing_like(theirs) | {"mark": "qnowherex", "my_key": pair.mine.ids["project_key"]}
    found = []
    for ids in (theirs, nobody):
        sent = {name: ids[name] for name in PARAMETER.findall(query)}
        answer = await pair.mine.by().get(f"{path.format(**ids)}?{query.format(**ids)}")
        assert told(answer, pair.other.canaries, sent) == set()
        found.append(same_answer(answer, sent))
        if "count=1" in query:
            assert answer.json()["page"]["total"] == 0
    assert found[0] == found[1]


async def test_B09_anothers_cursor_opens_nothing(pair: Pair) -> None:
    for path in ("projects", "tasks", "members", "audit"):
        cursor = (await pair.other.by().get(f"{APP}/{path}?limit=1")).json()["page"]["next"]
        answer = await pair.mine.by().get(f"{APP}/{path}?limit=1&cursor={cursor}")
        assert told(answer, pair.other.canaries, {"cursor": cursor}) == set(), path


@pytest.fixture(scope="module")
async def targets(state: State, pair: Pair) -> dict[str, dict[str, str]]:
    """Ids by name for the rows of the matrix: of the other firm, and of nobody."""
    theirs = await furnish_firm(state, pair.other.firm) | pair.other.ids
    mine = await furnish_firm(state, pair.mine.firm) | pair.mine.ids
    return {"theirs": theirs, "nobody": nothing_like(theirs), "mine": mine}


WRITES = [row for row in all_rows() if row.method not in {"GET", "HEAD"}]
ADDRESSED = [row for row in WRITES if PARAMETER.search(row.path)]


@pytest.mark.parametrize("row", ADDRESSED, ids=lambda row: f"{row.method} {row.path}")
async def test_B01_anothers_id_is_refused_like_one_that_does_not_exist(
    pair: Pair, targets: Mapping[str, dict[str, str]], urls: ClusterUrls, row: Row
) -> None:
    before = await fingerprint(urls, pair.other.firm)
    answers = []
    for whose in ("theirs", "nobody"):
        ids = targets[whose]
        sent = {name: ids[name] for name in PARAMETER.findall(row.path)}
        answer = await _send(pair.mine, row, ids, ids)
        assert told(answer, pair.other.canaries, ids) == set()
        answers.append(same_answer(answer, ids))
        closed = answer.status_code == 403 and row.path.startswith("/ops/")  # to firms, whatever stands in the address
        assert answer.status_code in {404, 410} or closed or "token" in sent, answer.text[:500]
    assert answers[0] == answers[1]
    assert await fingerprint(urls, pair.other.firm) == before


def _changed_nothing(answer: tuple[int, list[tuple[str, str]], str]) -> bool:
    """Of a bulk change, which answers for each row: none was changed, in JSON or in the page's flash."""
    return '"changed":0' in answer[2] or "Tasks%20changed%3A%200%2C" in str(answer[1])


async def test_B03_anothers_id_in_a_body_is_refused_like_one_that_does_not_exist(
    pair: Pair, targets: Mapping[str, dict[str, str]], urls: ClusterUrls
) -> None:
    """The path names own things, the body theirs: no row of either firm changes."""
    tried = 0
    for row in WRITES:
        bodies = [make(targets[whose]) for make in (row.json, row.form) if make for whose in ("theirs", "nobody")]
        if not bodies or bodies[0] == bodies[1] or "@" in str(bodies[0]):
            continue
        before = await fingerprint(urls, pair.other.firm), await fingerprint(urls, pair.mine.firm)
        answers = [
            same_answer(await _send(pair.mine, row, targets["mine"], targets[w]), targets[w])
            for w in ("theirs", "nobody")
        ]
        if answers[0][0] < 400 and "expires_at" in str(bodies[0]):
            continue  # differs by the clock, not by an id
        assert answers[0] == answers[1], row.path
        assert answers[0][0] in {404, 422} or _changed_nothing(answers[0]), f"{row.method} {row.path}: {answers[0]}"
        assert (await fingerprint(urls, pair.other.firm), await fingerprint(urls, pair.mine.firm)) == before, row.path
        tried += 1
    assert tried >= 6


async def furnish_firm(state: State, firm: Firm) -> dict[str, str]:
    """Return ids by the names that the matrix uses in bodies, of things made in this firm."""
    ids: dict[str, str] = {}
    for module in slice_matrices():
        if hasattr(module, "furnish"):
            ids |= await module.furnish(state, firm)
    return ids


async def _send(scene: Scene, row: Row, path_ids: Mapping[str, str], body_ids: Mapping[str, str]) -> httpx.Response:
    speaker = scene.by()
    options: dict[str, object] = {"headers": dict(row.headers(body_ids)) if row.headers else {}}
    if row.json:
        options["json"] = row.json(body_ids)
    if row.files:
        options["files"] = row.files(body_ids)
    if row.form:
        options["data"] = dict(row.form(body_ids))
    if row.form or row.files:
        options["headers"] |= form_headers(speaker)  # type: ignore[operator]  # a dict, made above
    return await speaker.send(row.method, PARAMETER.sub(lambda match: path_ids[match[1]], row.path), **options)


def _substitutions(route: Route, mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[dict[str, str]]:
    found = [dict(mine)]
    if route.names:
        found.append(dict(theirs))
    if len(route.names) > 1:
        found += [{**mine, name: theirs[name]} for name in route.names]
    return found
