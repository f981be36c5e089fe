"""Somebody else's PostgreSQL, old and new, with and without PgBouncer: a firm lives there as in ours."""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation, installed, wait
from tests.kit.pg import ask
from tests.operate.servers import Pooler, Server, foreign, pooling
from tests.operate.visitor import APP, Visitor, heard

pytestmark = pytest.mark.proof

#: Below what one page of a list shows.
CROWD = 30
#: What an operator asks the app role, also behind the pooler.
COMMANDS = (
    ("config", "check", "--database"),
    ("db", "ping"),
    ("db", "explain", "SELECT id FROM project WHERE tenant_id = $1", "--tenant", "far-ltd"),
)
_LINK = re.compile(r"http://localhost:\d+/set-up/\S+")


@pytest.fixture(params=[16, 18])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with foreign(request.param) as made:
        made.bootstrap()
        yield made


@pytest.fixture
def newest() -> Iterator[Server]:
    with foreign(18) as made:
        made.bootstrap()
        yield made


@pytest.fixture
def pooler(newest: Server) -> Iterator[Pooler]:
    with pooling(newest) as made:
        yield made


async def first_owner(site: Installation) -> Visitor:
    link = wait(lambda: _LINK.search(site.said), lambda: f"no link: {site.said[-3000:]}")[0]
    visitor = Visitor(site.url)
    await visitor.found_firm(link)
    return visitor


async def second_firm(site: Installation, owner: Visitor) -> Visitor:
    """Found another firm for the same person, who works in it with a token of its own."""
    done = site.command("tenant", "create", "Other Ltd", "--owner", owner.email)
    assert await asyncio.to_thread(done.wait, 60) == 0, site.said[-2000:]
    other = Visitor(site.url, email=owner.email)
    await other.sign_in()
    await other.enter("Other Ltd")
    return other


async def work(visitor: Visitor, key: str) -> str:
    """Make a project and a task, hear of it, and see the mail that a job sends."""
    project = await visitor.make_project(key)
    async with visitor.listening() as socket:
        await visitor.make_task(project, f"{key} 0")
        told = await heard(socket, op="event")
        assert "task" in json.dumps(told)
    assert await visitor.names(project) == [f"{key} 0"]
    return project


async def letter_sent(site: Installation, visitor: Visitor) -> None:
    before = site.said.count(visitor.email)
    await Visitor(site.url).send("POST", "/api/v1/auth/password/reset-request", 202, json={"email": visitor.email})
    await asyncio.to_thread(wait, lambda: site.said.count(visitor.email) > before, lambda: site.said[-2000:])


async def test_a_firm_lives_on_a_server_of_somebody_else(server: Server) -> None:
    with installed(**server.variables) as site:
        assert site.command("config", "check", "--database").wait(60) == 0, site.said
        migrated = site.command("migrate")
        assert migrated.wait(120) == 0, site.said
        site.start()
        site.wait_until_up()
        visitor = await first_owner(site)
        await work(visitor, "QUAY")
        await letter_sent(site, visitor)
        again = Visitor(site.url, email=visitor.email)
        await again.sign_in()
        made = site.command("backup", "create")
        assert made.wait(120) == 0, site.said[-2000:]
        assert site.command("status").wait(60) == 0
        assert site.stop() == 0
    app = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = 'zena_app'"
    assert await asyncio.to_thread(ask, server.superuser, app) is False


async def test_nothing_leaks_between_transactions_of_a_pooler_that_is_restarted(newest: Server, pooler: Pooler) -> None:
    pooled = newest.variables | {"ZENA_DATABASE_DIRECT_URL": newest.url("app"), "ZENA_DATABASE_URL": pooler.url}
    patient = {"ZENA_POOL_TIMEOUT": "20"}  # the machine is shared: a crowd is to wait for its turn, not to be refused
    with installed(**pooled | patient) as site:
        site.start()
        site.wait_until_up()
        visitor = await first_owner(site)
        project = await work(visitor, "QUAY")
        await letter_sent(site, visitor)
        stranger = await second_firm(site, visitor)
        theirs = await work(stranger, "PIER")
        await asyncio.gather(crowd(visitor, project, "ours"), crowd(stranger, theirs, "theirs"))
        await visitor.send("GET", f"{APP}/projects/{theirs}/tasks", 404)
        commands = [site.command(*words) for words in COMMANDS for _ in range(2)]
        assert [await asyncio.to_thread(one.wait, 120) for one in commands] == [0] * len(commands), site.said[-3000:]
        await restarted(pooler, visitor, project)
        async with visitor.listening() as socket:
            await visitor.make_task(project, "after")
            assert "task" in json.dumps(await heard(socket, op="event"))
        await letter_sent(site, visitor)
        assert "prepared statement" not in site.said
        assert site.stop() == 0


async def crowd(visitor: Visitor, project: str, word: str) -> None:
    """Write and read at once: whatever connection answers, it answers with this firm's rows."""

    async def one(number: int) -> None:
        await visitor.make_task(project, f"{word} {number:03}")
        assert {name.split()[0] for name in await visitor.names(project)} <= {word, "QUAY", "PIER"}

    await asyncio.gather(*(one(number) for number in range(CROWD)))
    names = [name for name in await visitor.names(project) if name.startswith(word)]
    assert names == [f"{word} {number:03}" for number in range(CROWD)]


async def restarted(pooler: Pooler, visitor: Visitor, project: str) -> None:
    """Requests while the pooler is away are refused, never wrong; then all is as before."""
    pooler.stop()
    async with visitor.client() as program:
        assert (await program.get(f"{APP}/projects/{project}/tasks")).status_code == 503
        await asyncio.to_thread(pooler.start)
        async with asyncio.timeout(30):
            while (answer := await program.get(f"{APP}/projects/{project}/tasks")).status_code != 200:
                assert answer.status_code == 503, answer.text
                await asyncio.sleep(0.2)
