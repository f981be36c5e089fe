"""Rounds of the leak prober: kept, due by the clock and after a change, one at a time, and seen by who watches."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.operate.commands import Terminal
from tests.operate.watched import Day, own_day
from zena.kit.clock import FixedClock
from zena.kit.db import set_json_codecs
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import JobWork
from zena.kit.state import State
from zena.main import build_state, create_app, started
from zena.operate.isolation.scheduled import look_for_leaks
from zena.operate.isolation.store import is_due, keep, last
from zena.operate.isolation.verdict import Verdict
from zena.operate.isolation.verify import Busy, trying, verify
from zena.operate.symptoms import t2_broken_fence
from zena.operate.symptoms.contract import Reading
from zena.settings import Settings

AT = datetime(2031, 8, 9, 6, 13, tzinfo=UTC)
T2 = t2_broken_fence.SYMPTOM


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(urls.ops)
    await set_json_codecs(conn)
    yield conn
    await conn.execute("DELETE FROM ops.isolation_round")
    await conn.close()


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


def clean() -> Verdict:
    return Verdict(routes=190, requests=700)


async def prober(day: Day) -> Reading:
    return next(one for one in await T2.watch(await day.look()) if one.scope == "prober")


async def test_what_the_last_round_found_opens_t2_and_what_tells_nothing_is_never_taken_for_well(
    day: Day, ops: Any
) -> None:
    assert (await prober(day)).over is None, "never tried"
    leaky = clean()
    leaky.found("leak", "GET /api/v1/app/labels", "its mark", advice="take the route out of service")
    await keep(ops, leaky, AT, 9.0)
    reading = await prober(day)
    diagnosis = await T2.diagnose(await day.look(), reading)
    assert (reading.over, reading.severity, diagnosis.cause) == (True, None, "leak")
    assert "GET /api/v1/app/labels" in diagnosis.causes[0].says
    assert "its mark" not in str(reading) + str(diagnosis), "no word of a firm"
    half = clean()
    half.unfinished.append("GET /api/v1/app/tasks answered 500")
    await keep(ops, half, AT, 9.0)
    assert (await prober(day)).over is None
    await keep(ops, clean(), AT, 9.0)
    assert ((await prober(day)).over, (await prober(day)).calm) == (False, True)
    day.later(hours=13)
    assert (await prober(day)).over is None, "too long ago"


async def test_a_round_is_due_by_the_clock_and_after_another_release(ops: Any) -> None:
    assert (await is_due(ops, AT), await is_due(ops, AT + timedelta(hours=1))) == (True, False)
    await keep(ops, clean(), AT, 9.0)
    assert [await is_due(ops, AT + timedelta(hours=hours)) for hours in (0, 1, 6)] == [False, False, True]
    await ops.execute("UPDATE ops.isolation_round SET release = '0.0.1'")
    assert await is_due(ops, AT + timedelta(hours=1))


async def test_only_the_last_hundred_stay(ops: Any) -> None:
    for number in range(103):
        await keep(ops, clean(), AT + timedelta(hours=number), 1.0)
    assert await ops.fetchval("SELECT count(*) FROM ops.isolation_round") == 100
    there = await last(ops)
    assert there is not None
    assert (there["at"], there["findings"]) == (AT + timedelta(hours=102), [])


async def test_nobody_tries_while_somebody_does_and_whoever_was_killed_holds_nothing(
    settings: Settings, ops: Any
) -> None:
    first, second = build_state(settings), build_state(settings)
    async with started(first), started(second):
        async with trying(first, create_app):
            with pytest.raises(Busy):
                await verify(second, create_app)
        async with trying(first, create_app) as trial:
            trial.conn.terminate()  # as kill -9 does
            async with trying(second, create_app) as other:
                assert other.verdict.findings == []


async def test_the_job_runs_the_command_and_the_command_keeps_what_it_found(
    state: State, settings: Settings, urls: ClusterUrls, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (urls.environment() | {"ZENA_DATA_DIR": str(settings.data_dir)}).items():
        monkeypatch.setenv(name, value)
    work = JobWork(replace(state, clock=FixedClock(AT)), 1, "operate.isolation", None, 1, 5, asyncio.Semaphore(1))
    await ops.execute("SET ROLE zena_owner; ALTER TABLE label NO FORCE ROW LEVEL SECURITY; RESET ROLE")
    try:
        await look_for_leaks(work)
    finally:
        await ops.execute("SET ROLE zena_owner; ALTER TABLE label FORCE ROW LEVEL SECURITY; RESET ROLE")
    there = await last(ops)
    assert there is not None
    assert [one["check"] for one in there["findings"]] == ["posture"]
    await ops.execute("UPDATE ops.isolation_round SET at = at - interval '1 day'")
    await look_for_leaks(work)
    there = await last(ops)
    assert there is not None
    assert (there["findings"], there["unfinished"]) == ([], [])
    assert there["routes"] > 100
    assert there["took_s"] > 0
    print(f"a round takes {there['took_s']:.1f} s")
    await ops.execute("UPDATE ops.isolation_round SET at = $1", AT)
    await look_for_leaks(work)
    assert await ops.fetchval("SELECT count(*) FROM ops.isolation_round") == 2, "it is not due"
    shown = await Terminal(urls, settings.data_dir)("status")
    assert "isolation  ok; " in shown.out
