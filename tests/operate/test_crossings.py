"""T2: what another firm has answers like what nobody has, and is seen all the same; what is honest makes nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.operate.console import forget, make_operator
from tests.operate.log_files import lines, logging_to
from tests.work.making import made_bulk, made_label, made_project, made_task
from tests.work.pages import Pages
from zena.accounts.permissions import Role
from zena.kit.clock import FixedClock
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.sought import Sought
from zena.kit.state import State
from zena.operate.crossings.checking import GRAVE, check
from zena.operate.crossings.figures import crossings
from zena.operate.crossings.noting import AGAIN, EACH, MOST, REMEMBERED, Noting

AUDITED = """
SELECT a.subject_id, a.after, a.request_id, a.actor FROM audit_entry a
 WHERE a.tenant_id = $1 AND a.action = 'access.cross_tenant_refused' ORDER BY a.position
"""


@dataclass
class Post:
    """Where attempts are looked for: the memory of a process, the worker's look, and what it left."""

    state: State
    notes: Noting
    ops: asyncpg.Connection
    folder: Path
    firms: frozenset[str]

    async def look(self) -> list[dict[str, Any]]:
        """Write what was noted, look once as a worker does; return the lines that were logged of this test's firms."""
        await self.notes.write(self.state.db)
        with logging_to(self.folder):
            await check(self.state)
        told = [line for line in lines(self.folder, "security") if line["event"] == "cross-tenant access attempt"]
        return [line for line in told if line["tenant"] in self.firms]

    async def audited(self, firm: Firm) -> list[asyncpg.Record]:
        return list(await self.ops.fetch(AUDITED, firm.tenant))

    async def counted(self, firm: Firm) -> int:
        count: int = await self.ops.fetchval("SELECT count(*) FROM ops.crossing WHERE tenant = $1", firm.tenant)
        return count


@pytest.fixture
async def post(state: State, firm: Firm, stranger: Firm, urls: ClusterUrls, tmp_path: Path) -> AsyncIterator[Post]:
    ops, notes = await asyncpg.connect(urls.ops), Noting(state.clock)
    kept, state.telemetry.on_sought[:] = list(state.telemetry.on_sought), [notes.hear]
    yield Post(state, notes, ops, tmp_path, frozenset({str(firm.tenant), str(stranger.tenant)}))
    state.telemetry.on_sought[:] = kept
    await ops.close()


@pytest.fixture
async def theirs(state: State, stranger: Firm) -> dict[str, UUID]:
    """What the other firm has, of every kind that is asked for by its id."""
    project = await made_project(state, stranger, key=f"K{uuid4().hex[:6].upper()}")
    task = await made_task(state, stranger, project)
    return {
        "project": project,
        "task": task,
        "label": await made_label(state, stranger),
        "member": stranger.people[Role.MEMBER].member,
        "bulk_change": await made_bulk(state, stranger, task),
    }


def ids(line: dict[str, Any]) -> tuple[str, str]:
    return line["kind"], line["id"]


async def test_anothers_id_by_the_api_is_one_line_one_entry_one_count_and_the_answer_is_as_ever(
    post: Post, firm: Firm, http: httpx.AsyncClient, theirs: dict[str, UUID], stranger: Firm
) -> None:
    who, task, unknown = firm.client(http, "member"), theirs["task"], new_id()
    answers = [await who.get(f"/api/v1/app/tasks/{one}") for one in (task, task, unknown)]
    plain = [
        answer.text.replace(answer.headers["x-request-id"], "R").replace(str(one), "ID")
        for answer, one in zip(answers, (task, task, unknown), strict=True)
    ]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert plain[0] == plain[1] == plain[2]
    assert {name: value for name, value in answers[0].headers.items() if name not in MOVING} == {
        name: value for name, value in answers[2].headers.items() if name not in MOVING
    }
    [line] = await post.look()
    caller = firm.people[Role.MEMBER]
    assert ids(line) == ("task", str(task))
    assert (line["tenant"], line["user"], line["way"]) == (str(firm.tenant), str(caller.user), str(caller.session))
    assert (line["request_id"], line["severity"]) == (answers[0].headers["x-request-id"], "low")
    assert (line["route"], line["owner"]) == ("GET /api/v1/app/tasks/{task_id}", str(stranger.tenant))
    [entry] = await post.audited(firm)
    assert (entry["actor"], entry["request_id"]) == (caller.member, line["request_id"])
    assert str(stranger.tenant) not in entry["after"]
    assert f"task {task}" in entry["after"]
    assert (await post.counted(firm), await post.audited(stranger)) == (1, [])
    told_late = "SELECT e.at > c.at FROM event e JOIN ops.crossing c ON c.tenant = e.tenant_id WHERE e.tenant_id = $1"
    assert await post.ops.fetchval(told_late, firm.tenant)  # as of its recording: it was not told late
    assert len(await post.look()) == 1  # nothing new: the line of before


MOVING = {"x-request-id", "ratelimit-remaining", "ratelimit", "date"}


async def test_every_way_of_asking_is_seen(
    post: Post, firm: Firm, http: httpx.AsyncClient, state: State, theirs: dict[str, UUID]
) -> None:
    own = await made_task(state, firm, await made_project(state, firm))
    who, page, other = firm.client(http, "pm"), Pages(firm, http), new_id()
    key = await post.ops.fetchval("SELECT key FROM project WHERE id = $1", theirs["project"])
    wish = {"ids": [str(theirs["task"]), str(own)], "assign": {"add": [str(theirs["member"])]}}
    asked = [
        await who.post("/api/v1/app/tasks/bulk", json=wish),
        await who.get(f"/api/v1/app/events?channel=tenant:{firm.tenant}:projects:{theirs['project']}"),
        await who.get(f"/api/v1/app/events?channel=tenant:{(await other_firm(post, firm, theirs))}:tasks"),
        await who.post("/api/v1/app/tasks", json={"project_id": str(theirs["project"]), "name": "x"}),
        await page.send(f"/tasks/{other}/status", {"to": "done"}),
        await page.open(f"/projects/{key.lower()}/board"),
        await page.send(f"/tasks/bulk/{theirs['bulk_change']}/undo"),
        await who.delete(f"/api/v1/app/labels/{theirs['label']}"),
    ]
    assert [answer.status_code for answer in asked] == [200, *[404] * 7], [answer.text[:200] for answer in asked]
    seen = {ids(line) for line in await post.look()}
    wanted = {(kind, str(one)) for kind, one in theirs.items()} | {("project", key.lower())}
    assert seen == wanted | {("tenant", str(await other_firm(post, firm, theirs)))}


async def other_firm(post: Post, firm: Firm, theirs: dict[str, UUID]) -> UUID:
    found: UUID = await post.ops.fetchval("SELECT tenant_id FROM task WHERE id = $1", theirs["task"])
    assert found != firm.tenant
    return found


async def test_what_is_honest_makes_nothing(
    post: Post, firm: Firm, stranger: Firm, http: httpx.AsyncClient, state: State, theirs: dict[str, UUID]
) -> None:
    own = await made_project(state, firm, parts=False, key=f"Q{uuid4().hex[:6].upper()}")
    shared = await post.ops.fetchval("SELECT key FROM project WHERE id = $1", own)
    await made_project(state, stranger, key=shared)
    both = firm.people[Role.ADMIN]
    joined = "INSERT INTO membership (tenant_id, id, user_id, role) VALUES ($1, $2, $3, 'member')"
    await post.ops.execute(joined, stranger.tenant, new_id(), both.user)
    honest = [
        ("pm", f"/api/v1/app/tasks/{new_id()}"),  # a slip
        ("client", f"/api/v1/app/projects/{own}"),  # their own firm's, which they may not see
        ("pm", f"/tasks/{shared}-4711"),  # their own project has no such task; nor has the other firm's
        ("admin", f"/api/v1/app/tasks/{theirs['task']}"),  # an old link into their other firm
        ("pm", f"/projects/{'0' * 8}-{'x' * 27}"),  # as long as an id
    ]
    for role, path in honest:
        answer = await Pages(firm, http, role).open(path)
        assert answer.status_code == 404, path
    assert post.notes.waiting
    assert await post.look() == []
    assert (await post.counted(firm), await post.audited(firm)) == (0, [])
    assert await post.ops.fetchval("SELECT count(*) FROM ops.sought WHERE tenant = $1", firm.tenant) == 0


async def test_from_the_fifth_thing_in_ten_minutes_on_it_is_grave(
    post: Post, firm: Firm, stranger: Firm, http: httpx.AsyncClient, state: State, urls: ClusterUrls
) -> None:
    project = await made_project(state, stranger)
    tasks = [await made_task(state, stranger, project) for _ in range(GRAVE + 1)]
    for task in [*tasks[:3], *tasks[:3], *tasks[3:]]:
        await firm.client(http, "viewer").get(f"/api/v1/app/tasks/{task}")
    await firm.client(http, "pm").get(f"/api/v1/app/tasks/{tasks[0]}")
    found = await post.look()
    viewer = str(firm.people[Role.VIEWER].user)
    assert [line["severity"] for line in found if line["user"] == viewer] == ["low"] * 4 + ["high"] * 2
    assert [line["severity"] for line in found if line["user"] != viewer] == ["low"]
    reading = await asyncpg.connect(urls.ops_read)
    try:
        counts = await crossings(reading, datetime.now(UTC), timedelta(minutes=5))
    finally:
        await reading.close()
    [one] = [row for row in counts["by_person"] if str(row["person"]) == viewer]
    assert (one["attempts"], one["firms"], one["high"]) == (6, 1, True)
    operator = await make_operator(state, firm, http)
    told = (await operator.get("/api/v1/metrics", headers={"accept": "application/json"})).json()
    assert told["security"]["cross_tenant"]["high"] >= 2
    text = (await operator.get("/api/v1/metrics?format=prometheus")).text
    assert 'zena_cross_tenant_attempts{severity="high"}' in text
    assert viewer not in text
    forget(http)
    shown = (await operator.get("/ops/tenants")).text
    assert str(tasks[-1]) in shown
    assert f"Firm {stranger.slug[-4:]}" in shown
    assert "/ops/tenants" in (await operator.get("/ops")).text


async def test_a_flood_is_bounded_in_memory_and_in_rows(post: Post, firm: Firm, stranger: Firm) -> None:
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    notes = Noting(clock)
    mine = Sought(firm.tenant, firm.people[Role.PM].user, None, "task", "", "GET /x", "r", "198.51.100.1")
    for number in range(10_000):
        notes.hear(mine._replace(reference=str(UUID(int=number))))
    assert (len(notes.waiting), notes.dropped) == (EACH, 10_000 - EACH)
    for _ in range(10_000):
        notes.hear(mine._replace(user=uuid4(), reference=str(uuid4())))
    assert len(notes.waiting) == MOST
    notes.waiting.clear()
    for _ in range(2 * REMEMBERED):
        notes.waiting.clear()
        notes.hear(mine._replace(user=uuid4(), reference=str(uuid4())))
    assert len(notes._asked) <= REMEMBERED
    again = Noting(clock)
    for wait in (timedelta(), AGAIN / 2, AGAIN, AGAIN):
        clock.advance(wait)
        again.hear(mine._replace(reference=str(stranger.tenant)))
    assert len(again.waiting) == 3
    again.waiting[0] = again.waiting[0]._replace(what=mine._replace(reference="x\0" * 500, route="y" * 500))
    await again.write(post.state.db)
    assert again.waiting == []


async def test_two_workers_at_once_and_a_repeat_of_another_process_make_one_attempt(
    post: Post, firm: Firm, http: httpx.AsyncClient, theirs: dict[str, UUID]
) -> None:
    other = Noting(post.state.clock)
    post.state.telemetry.on_sought.append(other.hear)
    await firm.client(http, "pm").get(f"/api/v1/app/tasks/{theirs['task']}")
    await asyncio.gather(post.notes.write(post.state.db), other.write(post.state.db))
    assert await post.ops.fetchval("SELECT count(*) FROM ops.sought WHERE tenant = $1", firm.tenant) == 2
    await asyncio.gather(*(check(post.state) for _ in range(4)))
    await check(post.state)
    assert (await post.counted(firm), len(await post.audited(firm))) == (1, 1)


async def test_the_app_role_writes_what_was_sought_and_reads_neither_it_nor_the_attempts(urls: ClusterUrls) -> None:
    app = await asyncpg.connect(urls.app)
    try:
        for forbidden in (
            "SELECT reference FROM ops.sought",
            "SELECT owner FROM ops.crossing",
            "DELETE FROM ops.sought",
            "UPDATE ops.sought SET reference = ''",
            "INSERT INTO ops.crossing SELECT * FROM ops.crossing",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(forbidden)
    finally:
        await app.close()
