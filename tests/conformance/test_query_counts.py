"""Every list and page costs the same number of statements for ten rows and for two hundred, and not many (style 17)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conformance.crowded import Crowded, crowded
from tests.conformance.scene import APP
from tests.factories.recorder import Recording, recording
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State

FEW, MANY = 10, 200
PER_TASK, PER_BULK = 5, 10  # a bulk change moves each task by the one function that checks a move

#: Statements per request, without BEGIN and COMMIT. What is made cheaper lowers its number here.
READS = {
    f"{APP}/projects?count=1": 3,
    f"{APP}/projects/{{project_id}}": 2,
    f"{APP}/projects/{{project_id}}/tasks": 2,
    f"{APP}/projects/{{project_id}}/members": 3,
    f"{APP}/projects/{{project_id}}/activity": 3,
    f"{APP}/projects/{{project_id}}/kpis": 3,
    f"{APP}/projects/{{project_id}}/health": 3,
    f"{APP}/tasks?count=1": 3,
    f"{APP}/tasks/{{task_id}}": 2,
    f"{APP}/tasks/{{task_id}}/comments": 3,
    f"{APP}/tasks/{{task_id}}/dependencies": 3,
    f"{APP}/tasks/{{task_id}}/activity": 3,
    f"{APP}/tasks/trash": 2,
    f"{APP}/labels": 2,
    f"{APP}/members": 2,
    f"{APP}/invitations": 2,
    f"{APP}/tokens": 2,
    f"{APP}/audit": 2,
    f"{APP}/dashboard": 2,
    f"{APP}/dashboard/projects": 2,
    f"{APP}/dashboard/tasks": 2,
    f"{APP}/dashboard/team": 2,
    f"{APP}/imports/{{import_id}}": 4,
    "/api/v1/me": 2,
    "/api/v1/me/sessions": 2,
    "/dashboard": 3,
    "/projects": 4,
    "/projects/new": 4,
    "/projects/{project_key}": 7,
    "/projects/{project_key}/board": 16,
    "/projects/{project_key}/settings": 7,
    "/tasks": 5,
    "/tasks/{task_key}": 10,
    "/my-work": 8,
    "/labels": 4,
    "/trash": 5,
    "/imports/{import_id}": 6,
    "/members": 5,
    "/audit": 3,
    "/settings": 3,
    "/profile": 3,
    "/profile/security": 6,
    "/profile/tokens": 3,
}


@dataclass(slots=True)
class Two:
    few: Crowded
    many: Crowded


@pytest.fixture(scope="module")
async def two(state: State, http: httpx.AsyncClient, urls: ClusterUrls) -> AsyncIterator[Two]:
    listeners = state.cache.shadow.listeners
    heard, listeners[:] = list(listeners), []  # what is computed again every five seconds is not the page's
    yield Two(await crowded(state, http, urls, FEW), await crowded(state, http, urls, MANY))
    listeners[:] = heard


async def _reading(http: httpx.AsyncClient, found: Crowded, url: str) -> Recording:
    for _ in range(2):  # the first may meet a new connection, which asks about its types
        with recording() as sent:
            answer = await found.firm.client(http).get(url.format(**found.ids))
        assert answer.status_code == 200, answer.text[:500]
    return sent


@pytest.mark.parametrize(("url", "budget"), READS.items(), ids=READS)
async def test_a_page_costs_the_same_for_ten_and_two_hundred(
    two: Two, http: httpx.AsyncClient, url: str, budget: int
) -> None:
    few, many = await _reading(http, two.few, url), await _reading(http, two.many, url)
    assert len(many.asked) == len(few.asked), f"{few.listing()}\n{many.listing()}"
    assert len(many.asked) <= budget, many.listing()
    assert many.writes == [], many.listing()


#: What one wish costs that touches many rows: the same for all sizes, because rows are changed in sets.
WRITES: list[tuple[str, str, Any, int]] = [
    ("POST", "projects/{project_id}/status", {"status": "active"}, 8),
    ("POST", "projects/{project_id}/status", {"status": "on_hold"}, 10),
    ("POST", "projects/{project_id}/duplicate", {}, 22),
    ("POST", "imports/{import_id}/check", {}, 6),
    ("POST", "tasks/{task_id}/trash", None, 11),
    ("POST", "tasks/{task_id}/restore", None, 11),
    ("PATCH", "labels/{label_id}", {"name": "Renamed"}, 5),
    ("DELETE", "labels/{label_id}", None, 6),
]


@pytest.fixture(scope="module")
async def begun(two: Two, http: httpx.AsyncClient) -> None:
    """The sub-tasks of each firm's first task are in progress: a bulk change, whose price is per task."""
    for one in (two.few, two.many):
        owner = one.firm.client(http)
        rows = (await owner.get(f"{APP}/tasks?parent={one.ids['task_id']}&limit=100")).json()["data"]
        with recording() as sent:
            told = await owner.post(
                f"{APP}/tasks/bulk", json={"ids": [row["id"] for row in rows], "status": "in_progress"}
            )
        assert told.json()["changed"] == len(rows) > 0, told.text
        assert len(sent.asked) <= PER_TASK * len(rows) + PER_BULK, sent.listing()
        one.ids["label_id"] = (await owner.get(f"{APP}/labels")).json()["data"][0]["id"]


@pytest.mark.parametrize(("method", "path", "body", "budget"), WRITES, ids=lambda value: str(value)[:40])
async def test_a_wish_for_many_rows_is_told_in_sets(
    two: Two, http: httpx.AsyncClient, begun: None, method: str, path: str, body: Any, budget: int
) -> None:
    counts = []
    for one in (two.few, two.many):
        url = f"{APP}/{path.format(**one.ids)}"
        with recording() as sent:
            answer = await one.firm.client(http).send(method, url, json=body, headers={"if-match": "*"})
        assert answer.status_code < 300, answer.text[:500]
        counts.append(sent)
    assert len(counts[1].asked) == len(counts[0].asked), f"{counts[0].listing()}\n{counts[1].listing()}"
    assert len(counts[1].asked) <= budget, counts[1].listing()


async def test_figures_that_must_be_counted_anew_cost_a_fixed_number(two: Two, http: httpx.AsyncClient) -> None:
    """A cold dashboard: every family is computed, from counters alone."""
    counts = []
    for one in (two.few, two.many):
        owner = one.firm.client(http)
        made = await owner.post(f"{APP}/projects/{one.ids['project_id']}/tasks", json={"name": "Dig"})
        assert made.status_code in {201, 422}, made.text
        await owner.patch(f"{APP}/settings", json={"name": "Anew"}, headers={"if-match": "*"})
        with recording() as sent:
            assert (await owner.get("/dashboard")).status_code == 200
        counts.append(sent)
    assert len(counts[1].asked) == len(counts[0].asked), f"{counts[0].listing()}\n{counts[1].listing()}"
    assert len(counts[1].asked) <= 15, counts[1].listing()
