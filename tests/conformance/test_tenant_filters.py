"""A01: the query layer binds the tenant in every statement, and forgetting to do so once still leaks nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conformance.crawl import routes, same_answer
from tests.conformance.filters import count, tables_of, without_any, without_one
from tests.conformance.rows import fenced_tables, fingerprint
from tests.conformance.scene import APP, Scene, furnished
from tests.conftest import PUBLIC_URL
from tests.factories.recorder import Statement, recording, rewriting
from zena.accounts.permissions import Role
from zena.kit.clock import FixedClock
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.main import build_state, create_app, started
from zena.settings import Settings

LISTS = (
    "tasks?q={mark}&count=1",
    "tasks?assignee={member_id}",
    "tasks?label={label_id}",
    "projects?q={mark}",
    "members?q={mark}",
)


@dataclass(slots=True)
class Heard:
    """What the query layer sent while firm B was looked at from end to end, each statement once."""

    mine: Scene
    other: Scene
    statements: list[Statement]


@pytest.fixture(scope="module")
async def heard(state: State, http: httpx.AsyncClient) -> Heard:
    mine, other = await furnished(state, http), await furnished(state, http)
    with recording() as sent:
        for role in (Role.OWNER, Role.CLIENT):
            for route in routes(state, safe=True):
                await mine.by(role).get(route.at(mine.ids))
        for address in LISTS:
            await mine.by().get(f"{APP}/{address.format(**mine.ids, mark=mine.mark)}")
    once = {statement.text: statement for statement in sent.asked}
    return Heard(mine, other, list(once.values()))


@pytest.fixture(scope="module")
async def fenced(urls: ClusterUrls) -> set[str]:
    """The names of the tables that belong to firms."""
    return await fenced_tables(urls)


async def test_A01_every_statement_binds_the_tenant(heard: Heard, fenced: set[str]) -> None:
    """The second fence: whatever reads a firm's table says whose rows it wants."""
    loose = [one.short for one in heard.statements if tables_of(one.text) & fenced and count(one.text) == 0]
    assert loose == []


async def test_A01_deleting_any_one_tenant_filter_leaks_nothing(
    heard: Heard, fenced: set[str], urls: ClusterUrls
) -> None:
    """Each statement without one of its filters answers the app role exactly what it answers with all of them.

    The same statements, sent by a role that passes the policies, do bring back the other firm's rows: the filters were
    really out, and the rows really there.
    """
    app, ops = await asyncpg.connect(urls.app), await asyncpg.connect(urls.ops)
    deleted = would_differ = would_leak = 0
    try:
        for statement in (one for one in heard.statements if one.values is not None and count(one.text)):
            whole = await _asked(app, heard.mine, statement.text, statement.values)
            for broken in without_one(statement.text):
                assert count(broken) == count(statement.text) - 1
                found = await _asked(app, heard.mine, broken, statement.values)
                assert found == whole, statement.short
                deleted += 1
            bare = without_any(statement.text)
            assert await _asked(app, heard.mine, bare, statement.values) == whole, statement.short
            passed = await _asked(ops, heard.mine, bare, statement.values)
            would_differ += passed != whole
            would_leak += any(canary in str(passed).lower() for canary in heard.other.canaries)
    finally:
        await app.close()
        await ops.close()
    print(f"A01: {len(heard.statements)} statements, {deleted} filters deleted one by one; past the policies")
    print(f"     {would_differ} answer otherwise, {would_leak} of them with words of the other firm")
    assert deleted >= 120
    assert would_differ >= 20
    assert would_leak >= 12


NOW = datetime.now(UTC)


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A whole application on connections and a cache of its own, for which time stands still."""
    made = build_state(settings, clock=FixedClock(NOW))
    transport = httpx.ASGITransport(app=create_app(made), raise_app_exceptions=False)
    async with started(made), httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        yield http


@pytest.fixture(scope="module")
async def careful(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with application(settings) as http:
        yield http


@pytest.fixture(scope="module")
async def careless(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """To be run without any tenant filter."""
    async with application(settings) as http:
        yield http


@pytest.mark.parametrize("role", [Role.OWNER, Role.MEMBER, Role.CLIENT])
async def test_A01_an_application_without_any_filter_answers_the_same(
    heard: Heard, state: State, careful: httpx.AsyncClient, careless: httpx.AsyncClient, role: Role
) -> None:
    """Every page and list, with own ids and with theirs, while no statement says whose rows it wants."""
    seen = Stripper()
    speaker, without = heard.mine.firm.client(careful, role), heard.mine.firm.client(careless, role)
    for route in routes(state, safe=True):
        for ids in (heard.mine.ids, heard.other.ids) if route.names else (heard.mine.ids,):
            whole = same_answer(await speaker.get(route.at(ids)), ids)
            with rewriting(seen):
                bare = same_answer(await without.get(route.at(ids)), ids)
            assert bare == whole, route.path
    assert seen.removed >= 150


async def test_A01_an_application_without_any_filter_changes_nothing_elsewhere(
    heard: Heard, careless: httpx.AsyncClient, urls: ClusterUrls
) -> None:
    """Writes too: what is meant for one's own rows touches no others, what is meant for theirs finds none."""
    before = await fingerprint(urls, heard.other.firm)
    seen, owner = Stripper(), heard.mine.firm.client(careless)
    with rewriting(seen):
        for whose, taken in ((heard.mine.ids, True), (heard.other.ids, False)):
            for method, path, body in _writes(whose):
                answer = await owner.send(method, f"{APP}/{path}", json=body, headers={"If-Match": "*"})
                assert (answer.status_code < 300) is taken, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    assert await fingerprint(urls, heard.other.firm) == before
    assert seen.removed >= 100


@dataclass(slots=True)
class Stripper:
    """Takes every tenant predicate out of what is sent, and counts them."""

    removed: int = 0

    def __call__(self, text: str) -> str:
        self.removed += count(text)
        return without_any(text)


def _writes(ids: dict[str, str]) -> list[tuple[str, str, Any]]:
    """Return a change of each kind, each taken with one's own ids."""
    task, project, label = f"tasks/{ids['other_task_id']}", f"projects/{ids['project_id']}", f"labels/{ids['label_id']}"
    return [
        ("PATCH", project, {"description": "Changed", "budget_actual": 7}),
        ("POST", f"{project}/members", {"member_id": ids["member_id"], "role": "manager"}),
        ("POST", f"{project}/status", {"status": "active"}),
        ("POST", f"{project}/tasks", {"name": "New", "labels": [ids["label_id"]], "assignees": [ids["member_id"]]}),
        ("PATCH", task, {"name": "Changed", "due_on": "2026-09-01", "estimate_min": 60}),
        ("POST", f"{task}/rank", {"after": ids["third_task_id"]}),
        ("POST", f"{task}/move", {"status": "in_progress"}),
        ("POST", f"{task}/labels", {"labels": []}),
        ("POST", f"{task}/assign", {"assignees": []}),
        ("POST", f"{task}/comments", {"body": "Well"}),
        ("PATCH", f"comments/{ids['comment_id']}", {"body": "Better"}),
        ("DELETE", f"comments/{ids['comment_id']}", None),
        ("DELETE", f"tasks/{ids['task_id']}/dependencies/{ids['dependency_id']}", None),
        ("POST", f"tasks/{ids['third_task_id']}/dependencies", {"predecessor_id": ids["other_task_id"]}),
        ("POST", f"{task}/duplicate", None),
        ("POST", f"{project}/duplicate", {}),
        ("PATCH", label, {"hue": 9}),
        ("DELETE", label, None),
        ("POST", f"{task}/trash", None),
        ("POST", f"{task}/restore", None),
        ("POST", f"tasks/bulk/{ids['bulk_id']}/undo", None),
        ("POST", f"imports/{ids['import_id']}/check", {}),
        ("DELETE", f"tokens/{ids['token_id']}", None),
        ("DELETE", f"invitations/{ids['invitation_id']}", None),
        ("PATCH", f"members/{ids['member_id']}", {"role": "viewer"}),
        ("DELETE", f"members/{ids['member_id']}", None),
    ]


async def _asked(conn: asyncpg.Connection, firm: Scene, text: str, values: Any) -> Any:
    """Return what a statement brings back for a firm, as text; whatever it would change is undone."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        tenant, user = firm.firm.tenant, firm.firm.people[Role.OWNER].user
        await conn.execute(
            "SELECT set_config('app.tenant', $1, true), set_config('app.user', $2, true)", str(tenant), str(user)
        )
        return sorted(str(dict(row)) for row in await conn.fetch(text, *values))
    except asyncpg.UniqueViolationError as refused:
        return str(refused)
    finally:
        await transaction.rollback()
