"""A remedy that is interrupted leaves nothing, or a finished step, and whoever watches next says which."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tests.kit.pg import open_folder
from zena.kit.embedded.running import read_state
from zena.kit.exits import Exit
from zena.operate.lab.catalogue import BY_ID
from zena.operate.lab.house import house
from zena.operate.lab.place import Place
from zena.operate.lab.trial import FIND, _waited

INDEX = "ix_remedy_comment_task_id"
#: Building waits for whoever has written to the table; the index is there by then, and not valid.
HALF = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid"
BUILDER = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"
NOTHING = f"it was not done: half of {INDEX} was left, and is dropped"
ENDED = "SELECT says FROM ops.remedy_run WHERE verdict = 'interrupted' ORDER BY id DESC LIMIT 1"


async def until(place: Place, query: str, *values: Any, seconds: float = 30) -> Any:
    """Ask until there is an answer; the database may be away meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if found := await place.value(query, *values):
                return found
        await asyncio.sleep(0.1)
    raise AssertionError(query)


def server(place: Place) -> int:
    """Return the process of the database."""
    state = read_state(place.data_dir)
    assert state is not None
    return state.pid


#: So many runs were interrupted.
RUNS = "SELECT count(*) >= $1 FROM ops.remedy_run WHERE verdict = 'interrupted'"


@asynccontextmanager
async def building(place: Place, incident: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Apply the remedy as an operator does, up to the middle of the building; it goes on after the block."""
    wanted = ("create_index", "--incident", str(incident))
    _, plan = await place.command("runbook", "plan", *wanted)
    async with place.session(place.urls.superuser) as writer:
        await writer.execute("BEGIN; UPDATE comment SET body = body WHERE id IN (SELECT id FROM comment LIMIT 1)")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zena", "runbook", "apply", *wanted, "--plan", plan["hash"], "--even-so",
            env=dict(place.variables), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await until(place, HALF, INDEX)
        yield process


@pytest.mark.proof
async def test_killed_or_cut_off_in_the_middle_of_building_an_index() -> None:
    with open_folder("zl-") as folder:
        async with house(folder) as (place, people):
            fault = BY_ID["index-dropped"]
            began: datetime = await place.value("SELECT now()")
            async with people.busy(fault.traffic), fault.broken(place):
                found = await _waited(fault, place, began, FIND)
                assert found is not None

                async with building(place, found["id"]) as cut:
                    await place.value("SELECT pg_terminate_backend($1)", await place.value(BUILDER))
                    _, told = await cut.communicate()
                assert cut.returncode == Exit.UNAVAILABLE, told
                assert len(told.decode().strip().splitlines()[-1:]) == 1
                says = await until(place, ENDED)
                assert says == NOTHING
                assert await place.value("SELECT to_regclass($1)::text", INDEX) is None

                async with building(place, found["id"]) as away:
                    os.kill(server(place), signal.SIGQUIT)
                    await away.communicate()
                assert away.returncode == Exit.UNAVAILABLE
                await until(place, RUNS, 2, seconds=90)
                assert await place.value(ENDED) == NOTHING
                assert await place.value("SELECT to_regclass($1)::text", INDEX) is None

                async with building(place, found["id"]) as killed:
                    os.kill(killed.pid, signal.SIGKILL)
                    await killed.communicate()
                await until(place, f"SELECT EXISTS ({ENDED}) AND ({ENDED}) LIKE 'it was done%'", seconds=60)
                assert await place.value(ENDED) == f"it was done: {INDEX} stands"
                assert await place.value("SELECT indisvalid FROM pg_index WHERE indexrelid = $1::regclass", INDEX)
            lines = "SELECT count(*) FROM ops.incident_event WHERE incident_id = $1 AND kind = 'remedy verdict'"
            assert await place.value(lines, found["id"]) == 3
