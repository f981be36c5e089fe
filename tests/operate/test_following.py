"""One request followed as somebody: it sees what they see, and leaves nothing behind."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.factories import Firm
from tests.operate.commands import Terminal
from tests.work.making import made_project, made_task
from zena.accounts.facade import borrow_session, give_back
from zena.accounts.permissions import Role
from zena.cli import CommandError
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import NotFound
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.kit.tally import REPEATED
from zena.main import build_state, create_app, started
from zena.operate.cli.trace import _wanted
from zena.operate.tracing.follow import Followed, follow, plans
from zena.operate.tracing.request import Wanted
from zena.operate.tracing.watching import Watched
from zena.settings import Settings

APP = "/api/v1/app"
COUNTS = """
SELECT (SELECT count(*) FROM project), (SELECT count(*) FROM session), (SELECT count(*) FROM event),
       (SELECT count(*) FROM audit_entry), (SELECT count(*) FROM queue.pgqueuer),
       (SELECT max(position) FROM tenant_head)
"""


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    yield connection
    await connection.close()


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[State]:
    """A process of its own, as the command makes one."""
    async with started(build_state(settings)) as made:
        yield made


async def followed(here: State, firm: Firm, role: str, wanted: Wanted) -> Followed:
    return await follow(here, create_app, wanted, email=firm.people[Role(role)].email, tenant=firm.slug)


async def test_a_page_is_followed_statement_by_statement(here: State, firm: Firm, ops: Any) -> None:
    before = await ops.fetchrow(COUNTS)
    done = await followed(here, firm, "owner", Wanted("GET", "/dashboard?x=1"))
    assert (done.answer.status, done.seen.route) == (200, "/dashboard")
    callers = [step.caller or "" for step in done.seen.steps]
    assert any(caller.startswith("insight/queries.py:") for caller in callers)
    assert not any(caller.startswith("operate/") for caller in callers)
    [entered] = [step for step in done.seen.steps if "gate.enter" in step.statement]
    assert entered.rows == 1
    assert {reason for _, reason in done.seen.lookups} == {"cold"}
    assert 0 < done.seen.drawn_ms < done.seen.total_ms
    assert await ops.fetchrow(COUNTS) == before
    told = await ops.fetchrow("SELECT what, after FROM ops.change ORDER BY id DESC LIMIT 1")
    assert told["what"] == "trace GET /dashboard"
    assert json.loads(told["after"]) == {"as": str(firm.people[Role.OWNER].user), "tenant": str(firm.tenant)}
    explained = await plans(here, done)
    assert explained
    assert all(one["plan"] for one in explained)


async def test_another_firms_task_is_not_there_as_for_them(
    here: State, state: State, firm: Firm, stranger: Firm
) -> None:
    task = await made_task(state, firm, await made_project(state, firm), name="Ours")
    wanted = Wanted("GET", f"{APP}/tasks/{task}")
    assert (await followed(here, firm, "viewer", wanted)).answer.status == 200
    away = (await followed(here, stranger, "owner", wanted)).answer
    assert (away.status, away.code) == (404, "TASK_NOT_FOUND")
    misplaced = await follow(here, create_app, wanted, email=stranger.people[Role.OWNER].email, tenant=firm.slug)
    assert (misplaced.answer.status, misplaced.answer.code) == (403, "NO_TENANT_ACCESS")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(f"{APP}/projects", '{"name": "Only looked at"}', 201), ("/projects", "name=Only+looked+at&key=LOOK", 303)],
)
async def test_a_change_is_followed_and_nothing_of_it_stays(
    path: str, body: str, status: int, here: State, firm: Firm, ops: Any
) -> None:
    before = await ops.fetchrow(COUNTS)
    done = await followed(here, firm, "pm", Wanted("POST", path, body))
    assert done.answer.status == status, done.answer.code
    [made] = [step for step in done.seen.steps if step.statement.startswith("INSERT INTO project ")]
    assert made.rows == 1
    assert await ops.fetchrow(COUNTS) == before
    refused = await followed(here, firm, "viewer", Wanted("POST", path, body))
    assert refused.answer.status == 403


async def test_who_may_not_come_in_does_not(here: State, firm: Firm, ops: Any) -> None:
    await ops.execute("UPDATE user_account SET is_active = false WHERE id = $1", firm.people[Role.PM].user)
    assert (await followed(here, firm, "pm", Wanted("GET", f"{APP}/projects"))).answer.status == 401
    page = (await followed(here, firm, "pm", Wanted("GET", "/projects"))).answer
    assert (page.status, page.location) == (303, "/sign-in")
    # From this very machine the answer would name every dependency.
    health = await followed(here, firm, "owner", Wanted("GET", "/api/v1/health"))
    assert json.loads(health.answer.body) == {"ok": True, "status": "ok"}


async def test_a_borrowed_session_ends_by_itself_and_is_given_back(firm: Firm, ops: Any) -> None:
    owner = firm.people[Role.OWNER]
    lent = await borrow_session(ops, email=owner.email, tenant=None)
    left = "SELECT extract(epoch FROM expires_at - now())::int FROM session WHERE id = $1"
    assert 0 < await ops.fetchval(left, lent.session) <= 180
    assert lent.tenant == firm.tenant
    await give_back(ops, lent)
    assert await ops.fetchval(left, lent.session) is None
    for email, tenant in (("nobody@nowhere.example", None), (owner.email, "no-such-firm")):
        with pytest.raises(NotFound):
            await borrow_session(ops, email=email, tenant=tenant)


def test_repeats_are_counted_and_from_ten_on_called_n_plus_one() -> None:
    seen = Watched()
    seen.begin()
    for number in range(REPEATED + 2):
        seen._query("SELECT name FROM label WHERE id = $1", 0.001)
        if number < 2:
            seen._query("SELECT 2", 0.001)
        seen._query("SAVEPOINT sa_savepoint_1", 0.0)
    seen.end()
    seen._query("ROLLBACK;", 1.0)
    found = seen.repeated()
    assert [(one["times"], one["n_plus_one"]) for one in found] == [(REPEATED + 2, True), (2, False)]
    assert seen.database_ms < 100
    assert {step.statement for step in seen.steps} >= {"BEGIN"}


def test_what_opens_something_is_not_recorded() -> None:
    link = "/sign-in/link/ciezgbhZyb7AccGg2y6XoAy9xBv0RAX4uJNFkYl9NSQ?x=secret"
    assert Wanted("GET", link).told == "GET /sign-in/link/***"


async def test_the_command_says_it_all_and_nothing_secret(state: State, urls: ClusterUrls, firm: Firm) -> None:
    terminal, email = Terminal(urls, state.settings.data_dir), firm.people[Role.OWNER].email
    values = {"ZENA_PUBLIC_URL": "https://zena.test"}
    ran = await terminal("trace", "GET", f"{APP}/tasks?limit=5", "--as", email, "--explain", "--json", **values)
    assert ran.code == Exit.OK, ran.err
    told = json.loads(ran.out)
    assert (told["status"], told["route"], told["rolled_back"]) == (200, f"{APP}/tasks", True)
    assert told["plans"]
    assert "cookie" not in ran.out


@pytest.mark.parametrize(
    ("words", "header"),
    [
        (("FETCH", "/", None), []),
        (("GET", "dashboard", None), []),
        (("GET", "/", "{}"), []),
        (("POST", "/", "{}"), ["no colon"]),
        (("POST", "/", "{}"), [": nameless"]),
    ],
)
def test_misuse_is_told_before_anything_is_opened(words: tuple[str, str, str | None], header: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        _wanted(*words, header)
    assert refused.value.code == Exit.USAGE
