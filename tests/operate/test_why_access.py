"""Why somebody does not see something, and why a request was slow: the link or the part that was broken is named."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cli.run import zena
from tests.factories import Firm
from tests.operate.commands import Terminal
from tests.work.making import made_project, made_task
from zena.accounts.permissions import Role
from zena.kit.db import dialled
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import NotFound
from zena.kit.exits import Exit
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.reasons.access import Link, NoSuchName, Question, WhichFirm, access_chain
from zena.operate.reasons.slowness import slowness, told

IN_PROJECT = "UPDATE project SET {} WHERE id = (SELECT project_id FROM task WHERE id = $1) AND $2::uuid IS NOT NULL"
LEAVE = "DELETE FROM project_member m USING membership o WHERE o.id = m.member_id AND o.user_id = $2 AND $1::uuid <> $2"
LEAVE = "DELETE FROM project_member m USING membership o WHERE o.id = m.member_id AND o.user_id = $2 AND $1::uuid <> $2"
KEPT = """
INSERT INTO ops.request (at, request_id, process, method, route, status, ms, kept_for, release, facts)
VALUES ($1, $2, $3, 'GET', '/dashboard', 200, $4, $5, 'test', $6::text::jsonb)
"""


@pytest.fixture
async def eyes(urls: ClusterUrls) -> AsyncIterator[tuple[Any, Any]]:
    """A connection that sees every firm, and one that is held."""
    async with dialled(urls.ops, "test") as ops, dialled(urls.app, "test") as app:
        yield ops, app


@pytest.fixture
async def task(state: State, firm: Firm) -> UUID:
    return await made_task(state, firm, await made_project(state, firm))


async def links(eyes: tuple[Any, Any], email: str, resource: Any, tenant: str | None = None) -> list[Link]:
    return await access_chain(*eyes, Question(email, str(resource), tenant))


async def broken(eyes: tuple[Any, Any], email: str, resource: Any, tenant: str | None = None) -> list[str]:
    return [name for name, holds, _ in await links(eyes, email, resource, tenant) if not holds]


async def test_whoever_sees_it_has_a_whole_chain(eyes: tuple[Any, Any], firm: Firm, task: UUID) -> None:
    for role in Role:
        assert await broken(eyes, firm.people[role].email, task) == [], role
    names = [name for name, _, _ in await links(eyes, firm.people[Role.OWNER].email, f"https://x/tasks/{task}?a=1")]
    assert names == [
        "exists", "active", "firm is served", "member", "permission", f"exists in {firm.slug}", "row-level security",
        "not in the trash", "project is seen", "no filter hides it",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "link"),
    [
        ("UPDATE user_account SET is_active = false WHERE id = $2 AND $1::uuid IS NOT NULL", "active"),
        ("UPDATE membership SET ended_at = now() WHERE user_id = $2 AND $1::uuid IS NOT NULL", "member"),
        ("UPDATE task SET internal = true WHERE id = $1 AND $2::uuid IS NOT NULL", "project is seen"),
        (LEAVE, "project is seen"),
        ("UPDATE task SET deleted_at = now() WHERE id = $1 AND $2::uuid IS NOT NULL", "not in the trash"),
        (
            IN_PROJECT.format("deleted_at = now()"),
            "not in the trash",
        ),
        (
            IN_PROJECT.format("status = 'archived', archived_at = now()"),
            "no filter hides it",
        ),
    ],
)
async def test_what_was_broken_is_named(change: str, link: str, eyes: tuple[Any, Any], firm: Firm, task: UUID) -> None:
    client = firm.people[Role.CLIENT]
    await eyes[0].execute(change, task, client.user)
    assert (await broken(eyes, client.email, task))[0] == link


async def test_another_firms_row_is_told_by_ids_and_recorded(
    eyes: tuple[Any, Any], firm: Firm, stranger: Firm, task: UUID
) -> None:
    email = stranger.people[Role.OWNER].email
    [*_, (name, holds, says)] = await links(eyes, email, task)
    assert (name, holds) == (f"exists in {stranger.slug}", False)
    assert str(firm.tenant) in says
    assert "Dig" not in says
    record = await eyes[0].fetchrow("SELECT what, after FROM ops.change ORDER BY id DESC LIMIT 1")
    assert record["what"] == "why access: told of another firm's row"
    assert record["after"]["for"] == str(stranger.people[Role.OWNER].user)
    assert (await broken(eyes, email, task, firm.slug))[0] == "member"
    assert await broken(eyes, email, new_id()) == [f"exists in {stranger.slug}"]
    assert await broken(eyes, "nobody@nowhere.example", task) == ["exists"]


async def test_a_policy_that_hides_too_much_is_named(eyes: tuple[Any, Any], firm: Firm, task: UUID) -> None:
    ops, _ = eyes
    await ops.execute("SET ROLE zena_owner")
    await ops.execute("CREATE POLICY quarantine ON task AS RESTRICTIVE USING (false)")
    try:
        await ops.execute("RESET ROLE")
        assert "row-level security" in await broken(eyes, firm.people[Role.OWNER].email, task)
    finally:
        await ops.execute("SET ROLE zena_owner")
        await ops.execute("DROP POLICY quarantine ON task")
        await ops.execute("RESET ROLE")


async def test_a_key_is_looked_up_where_the_person_is(
    state: State, eyes: tuple[Any, Any], firm: Firm, stranger: Firm
) -> None:
    for one in (firm, stranger):
        await made_task(state, one, await made_project(state, one, key="TWIN"))
    owner = firm.people[Role.OWNER]
    [*_, last] = [says for name, _, says in await links(eyes, owner.email, "twin-1") if name.startswith("exists in")]
    assert last.startswith("task TWIN-1")
    assert await broken(eyes, owner.email, "/projects/TWIN/board") == []
    await eyes[0].execute(
        "INSERT INTO membership (tenant_id, id, user_id, role) VALUES ($1, $2, $3, 'viewer')",
        stranger.tenant, new_id(), owner.user,
    )  # fmt: skip
    with pytest.raises(WhichFirm, match=stranger.slug):
        await links(eyes, owner.email, "TWIN-1")
    assert await broken(eyes, owner.email, "TWIN-1", stranger.slug) == []
    for text in ("", "/", "a/b", "'; DROP TABLE task; --", "%00", "X" * 5000):
        with pytest.raises(NoSuchName):
            await links(eyes, owner.email, text)
    with pytest.raises(NotFound):
        await links(eyes, owner.email, "TWIN-1", "no-such-firm")


async def test_the_command_ends_with_the_broken_link(
    state: State, urls: ClusterUrls, firm: Firm, stranger: Firm, task: UUID
) -> None:
    terminal = Terminal(urls, state.settings.data_dir)
    ran = await terminal("why", "access", stranger.people[Role.OWNER].email, str(task))
    assert ran.code == Exit.FINDING
    assert ran.out.splitlines()[-1] == f"first broken link: exists in {stranger.slug}"


def facts(*, queries: int = 3, database: float, waited: float = 0.0, times: int = 1, cache: str = "") -> str:
    return (
        f'{{"queries": {queries}, "database_ms": {database}, "pool_wait_ms": {waited}, "most_repeated": {times},'
        f' "statements": [{{"fingerprint": "abcdefabcdef", "times": {times}, "ms": {database},'
        f' "caller": "work/queries/x.py:4 each"}}], "cache": {{{cache}}}}}'
    )


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (facts(database=700.0, times=40), "N+1: one statement 40 times from work/queries/x.py:4 each, 70%"),
        (facts(database=900.0), "the database took 90%, most in abcdefabcdef"),
        (facts(database=10.0, waited=800.0), "it waited for a free connection"),
        (facts(database=10.0), "outside of the database"),
        (facts(database=10.0, cache='"tasks:evicted": 2, "team:hit": 1'), "not in the cache: tasks:evicted"),
    ],
)
async def test_the_verdict_names_what_took_the_time(record: str, verdict: str, urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.ops)
    at, name = datetime.now(UTC), new_id().hex
    try:
        await conn.execute(KEPT, at, name, new_id(), 1000.0, "slow", record)
        await conn.execute(KEPT, at - timedelta(minutes=1), new_id().hex, new_id(), 20.0, "sample", facts(database=2.0))
    finally:
        await conn.close()
    async with dialled(urls.ops_read, "test") as reading:
        found = await slowness(reading, name)
    assert found is not None
    assert verdict in found["verdict"]
    assert found["usual"]["fast"]["n"] >= 1


def test_a_fast_request_is_not_called_slow() -> None:
    found = told({"ms": 12.0, "route": "/dashboard", "facts": {"database_ms": 9.0, "pool_wait_ms": 0.0}})
    assert found["verdict"].startswith("not slow")


async def test_without_a_database_an_unknown_request_is_told_in_a_line(state: State) -> None:
    nowhere = "postgresql://zena_x:a-long-enough-one@127.0.0.1:1/zena"
    ran = zena(
        "why", "slow", "nothing", module="zena", ZENA_DATA_DIR=state.settings.data_dir, ZENA_DATABASE_URL=nowhere,
        ZENA_DATABASE_OPS_READ_URL=nowhere,
    )  # fmt: skip
    assert (ran.code, len(ran.err.splitlines())) == (Exit.UNAVAILABLE, 1)
    assert "kept are slow" in ran.err
