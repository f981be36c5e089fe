"""Rounds of the leak prober: kept, due by the clock and after a change, one at a time, and seen by who watches."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.cli.run import command, variables
from tests.operate.commands import Terminal
from tests.operate.watched import Day, own_day
from zena.kit.clock import FixedClock
from zena.kit.db import set_json_codecs
from zena.kit.embedded import ClusterUrls
from zena.kit.queue import JobWork
from zena.kit.state import State
from zena.main import build_state, create_app, started
from zena.operate.isolation.probes import give_up
from zena.operate.isolation.scheduled import NotTried, look_for_leaks
from zena.operate.isolation.store import AGAIN, begin, finish, is_broken_off, is_due, last
from zena.operate.isolation.verdict import Verdict
from zena.operate.isolation.verify import Busy, trying, verify
from zena.operate.symptoms import t2_broken_fence
from zena.operate.symptoms.contract import Reading
from zena.operate.watch.rounds import look_around
from zena.settings import Settings

AT = datetime(2031, 8, 9, 6, 13, tzinfo=UTC)
T2 = t2_broken_fence.SYMPTOM
OURS = "t.plan = 'probe' AND t.status = 'active' AND starts_with(t.slug, 'probe-')"
WHOLE = "EXISTS (SELECT FROM import_run r WHERE r.tenant_id = t.id AND r.state = 'checked')"
SEEN = """
INSERT INTO ops.seen (name, value, at) VALUES ('release', '{}', $1), ('revision', '{}', $1)
ON CONFLICT (name) DO UPDATE SET at = excluded.at
"""
#: Firms of the prober's that are furnished, and those that are not yet; who signed in since a round began.
MADE = f"SELECT count(*) FROM tenant t WHERE {OURS} AND {WHOLE}"  # noqa: S608 - ours
HALF_MADE = f"SELECT EXISTS (SELECT FROM tenant t WHERE {OURS} AND NOT {WHOLE})"  # noqa: S608 - ours
AT_WORK = f"""
SELECT count(*) >= 4 FROM session s JOIN membership USING (user_id) JOIN tenant t ON t.id = tenant_id
 WHERE {OURS} AND s.created_at > (SELECT max(at) FROM ops.isolation_round)
"""  # noqa: S608 - ours


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


async def keep(conn: Any, verdict: Verdict, at: datetime) -> None:
    await finish(conn, await begin(conn, at), verdict, 9.0)


async def prober(day: Day) -> Reading:
    return next(one for one in await T2.watch(await day.look()) if one.scope == "prober")


async def test_what_the_last_round_found_opens_t2_and_what_tells_nothing_is_never_taken_for_well(
    day: Day, ops: Any
) -> None:
    assert (await prober(day)).over is None, "never tried"
    leaky = clean()
    leaky.found("leak", "GET /api/v1/app/labels", "its mark", advice="take the route out of service")
    await keep(ops, leaky, AT)
    reading = await prober(day)
    diagnosis = await T2.diagnose(await day.look(), reading)
    assert (reading.over, reading.severity, diagnosis.cause) == (True, None, "leak")
    assert "GET /api/v1/app/labels" in diagnosis.causes[0].says
    assert "its mark" not in str(reading) + str(diagnosis), "no word of a firm"
    half = clean()
    half.unfinished.append("GET /api/v1/app/tasks answered 500")
    await keep(ops, half, AT)
    assert (await prober(day)).over is None
    assert "1 could not be tried" in (await T2.watch(await day.look()))[0].says, "fences that stand are half of it"
    await keep(ops, clean(), AT)
    assert ((await prober(day)).over, (await prober(day)).calm) == (False, True)
    await begin(ops, AT)
    assert ((await prober(day)).over, (await prober(day)).says) == (
        None, "0 routes tried at 2031-08-09 06:13: it is under way, or was broken off",
    )  # fmt: skip
    await keep(ops, clean(), AT)
    day.later(hours=13)
    assert (await prober(day)).over is None, "too long ago"


async def test_what_gave_way_and_fences_that_fell_are_told_together(day: Day) -> None:
    fallen = [["policy", 1, ["label"], "make it again"]]
    facts = {"scopes": ["", "prober"], "fallen": fallen, "leaks": [["leak", "GET /labels", ""]]}
    reading = Reading("several", over=True, calm=False, says="4 at once", facts=facts)
    causes = [one.cause for one in (await T2.diagnose(await day.look(), reading)).causes]
    assert {"leak", "policy_changed"} <= set(causes)


async def test_a_round_is_due_by_the_clock_and_minutes_after_another_release(ops: Any) -> None:
    async def due(*, after: float) -> bool:
        return await is_due(ops, AT + timedelta(hours=after))

    await ops.execute(SEEN, AT)
    assert [await due(after=minutes / 60) for minutes in (0, 59, 60)] == [False, False, True], "the first of all"
    await keep(ops, clean(), AT)
    assert [await due(after=hours) for hours in (0.1, 5.7, 5.8, 17)] == [False, False, True, True], "at 12:00"
    await ops.execute("UPDATE ops.isolation_round SET release = '0.0.1'")
    assert [await due(after=minutes / 60) for minutes in (4, 5)] == [False, True]


async def test_what_was_found_or_broken_off_is_looked_at_again_soon(ops: Any) -> None:
    leaky = clean()
    leaky.found("leak", "GET /api/v1/app/labels")
    for verdict in (leaky, None):
        number = await begin(ops, AT)
        if verdict is not None:
            await finish(ops, number, verdict, 9.0)
        assert [await is_due(ops, AT + after) for after in (AGAIN / 2, AGAIN)] == [False, True]


async def test_only_the_last_hundred_stay(ops: Any) -> None:
    for number in range(103):
        await keep(ops, clean(), AT + timedelta(hours=number))
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
    day: Day, state: State, settings: Settings, urls: ClusterUrls, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (urls.environment() | {"ZENA_DATA_DIR": str(settings.data_dir)}).items():
        monkeypatch.setenv(name, value)
    work = JobWork(replace(state, clock=FixedClock(AT)), 1, "operate.isolation", None, 1, 5, asyncio.Semaphore(1))
    await ops.execute(SEEN, AT - timedelta(hours=1))
    await ops.execute("SET ROLE zena_owner; ALTER TABLE label NO FORCE ROW LEVEL SECURITY; RESET ROLE")
    try:
        await look_for_leaks(work)
    finally:
        await ops.execute("SET ROLE zena_owner; ALTER TABLE label FORCE ROW LEVEL SECURITY; RESET ROLE")
    there = await last(ops)
    assert there is not None
    assert [one["check"] for one in there["findings"]] == ["posture"]
    opened = await look_around(await day.look(), [T2])  # the fence stands again meanwhile: the round has the last word
    assert [(one.reading.scope, one.diagnosis.cause) for one in opened] == [("prober", "leak")]
    await ops.execute("UPDATE ops.isolation_round SET at = at - interval '1 day'")
    await look_for_leaks(work)
    there = await last(ops)
    assert there is not None
    assert (there["findings"], there["unfinished"]) == ([], [])
    assert there["routes"] > 100
    assert there["took_s"] > 0
    print(f"a round takes {there['took_s']:.1f} s")
    is_open = "SELECT severity FROM ops.incident WHERE id = $1 AND closed_at IS NULL"
    assert await ops.fetchval(is_open, opened[0].id) == "critical"
    await ops.execute("UPDATE ops.isolation_round SET at = $1", AT)
    for _ in range(2):
        assert await look_around(await day.look(), [T2]) == []
    assert await ops.fetchval(is_open, opened[0].id) is None, "a clean round closes it"
    await look_for_leaks(work)
    assert await ops.fetchval("SELECT count(*) FROM ops.isolation_round") == 2, "it is not due"
    shown = await Terminal(urls, settings.data_dir)("status")
    assert "isolation  ok; " in shown.out


async def test_a_round_that_does_not_even_begin_is_told_and_not_tried_again_at_once(
    state: State, ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENA_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    work = JobWork(state, 1, "operate.isolation", None, 1, 5, asyncio.Semaphore(1))
    await ops.execute(SEEN, AT - timedelta(days=3650))
    with pytest.raises(NotTried, match="cannot be reached"):
        await look_for_leaks(work)
    there = await last(ops)
    assert there is not None
    assert is_broken_off(there)
    await look_for_leaks(work)


@pytest.mark.proof
@pytest.mark.parametrize("stage", [HALF_MADE, AT_WORK], ids=["making the firms", "trying"])
async def test_after_a_kill_in_the_middle_the_next_round_trips_over_nothing(
    settings: Settings, urls: ClusterUrls, ops: Any, stage: str
) -> None:
    if stage == HALF_MADE:
        await give_up(ops)
    names = urls.environment() | {"ZENA_DATA_DIR": str(settings.data_dir)}
    begun = await asyncio.create_subprocess_exec(
        *command("tenant", "verify-isolation", module="zena"), env=variables(**names)
    )
    try:
        async with asyncio.timeout(60):
            while not await ops.fetchval(stage):
                assert begun.returncode is None, "it ended before it could be killed"
                await asyncio.sleep(0.01)
    finally:
        begun.kill()
        await begun.wait()
    killed = await last(ops)
    assert killed is not None
    assert is_broken_off(killed)
    made = build_state(settings)
    async with started(made):
        verdict = await verify(made, create_app)
    assert (verdict.findings, verdict.unfinished) == ([], [])
    assert await ops.fetchval(MADE) == 2
    assert await ops.fetchval("SELECT count(*) FROM tenant t WHERE starts_with(slug, 'probe-')") == 2
    there = await last(ops)
    assert there is not None
    assert not is_broken_off(there)
