"""F-19: whoever is killed while an installation is made and migrated, the next start completes it."""

import asyncio
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import httpx
import psutil
import pytest

from tests.faults.clients import APP
from tests.faults.installation import PATIENCE, Installation, found_firm, installed, wait
from tests.kit.pg import ask
from zena.kit.embedded import urls_of_running
from zena.kit.embedded.running import read_state
from zena.migrations.run import drift, head

pytestmark = pytest.mark.proof

Stage = Callable[[Installation], bool]


def the_cluster_grows(site: Installation) -> bool:
    return any((site.data / "postgres").glob("18-draft*/PG_VERSION"))


def the_cluster_is_there(site: Installation) -> bool:
    return (site.data / "postgres" / "18" / "PG_VERSION").is_file()


def the_server_runs(site: Installation) -> bool:
    state = read_state(site.data)
    return state is not None and psutil.pid_exists(state.pid) and urls_of_running(site.data) is not None


def tables_are_made(site: Installation) -> bool:
    urls = urls_of_running(site.data)
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return urls is not None and ask(urls.owner, "SELECT to_regclass('alembic_version') IS NOT NULL")
    return False


STAGES: tuple[Stage, ...] = (the_cluster_grows, the_cluster_is_there, the_server_runs, the_server_runs, tables_are_made)


def killed_when(site: Installation, running: "subprocess.Popen[bytes]", stage: Stage) -> None:
    """Kill a command at a stage of what it makes; it is as well if it got through before we looked."""
    wait(lambda: running.poll() is not None or stage(site), lambda: f"{stage.__name__}: {site.said[-3000:]}")
    running.send_signal(signal.SIGKILL)
    running.wait(PATIENCE)
    print(f"{stage.__name__}: {running.returncode}")
    assert running.returncode in {0, -signal.SIGKILL}, site.said[-3000:]


def left(site: Installation) -> list[str]:
    """Return the processes that still belong to an installation."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(str(site.folder) in word for word in words):
                found.append(" ".join(words))
    return found


async def test_F19_a_killed_migration_is_completed_by_the_next() -> None:
    with installed() as site:
        for stage in STAGES:
            await asyncio.to_thread(killed_when, site, site.command("migrate"), stage)
        last = site.command("migrate")
        assert await asyncio.to_thread(last.wait, PATIENCE) == 0, site.said[-3000:]
        site.start()
        assert await drift(site.urls().owner) == []
        revision = await asyncio.to_thread(ask, site.urls().owner, "SELECT version_num FROM alembic_version")
        assert revision == head()
        await asyncio.to_thread(site.wait_until_up)
        assert await asyncio.to_thread(site.stop) == 0
        assert left(site) == []


async def test_F19_a_killed_first_start_is_completed_by_the_next() -> None:
    with installed() as site:
        for stage in (*STAGES, is_prepared):
            site.start()
            assert site.process is not None
            await asyncio.to_thread(killed_when, site, site.process, stage)
        site.start()
        (token,) = await found_firm(site, 1)
        async with httpx.AsyncClient(base_url=site.url, headers={"authorization": f"Bearer {token}"}) as http:
            answer = await http.post(f"{APP}/projects", json={"name": "First", "key": "ONE"})
            assert answer.status_code == 201, answer.text
        assert await drift(site.urls().owner) == []
        assert await asyncio.to_thread(site.stop) == 0
        assert left(site) == []


def test_F19_a_killed_preparation_ends_the_start_and_the_next_completes_it() -> None:
    with installed() as site:
        site.start()
        assert site.process is not None
        supervisor = psutil.Process(site.process.pid)

        def preparing() -> list[psutil.Process]:
            return [child for child in supervisor.children() if "prepare" in child.cmdline()]

        wait(preparing, lambda: site.said[-3000:])[0].kill()
        assert site.process.wait(PATIENCE) > 0
        assert left(site) == []
        site.start()
        site.wait_until_up()
        assert site.stop() == 0


def is_prepared(site: Installation) -> bool:
    """The migrations are done, the link is about to be told."""
    urls = urls_of_running(site.data)
    told = "SELECT obj_description(to_regnamespace('gate'), 'pg_namespace') IS NOT NULL"
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return urls is not None and ask(urls.ops, told)
    return False
