"""A kind of job stopped, one that was forgotten let run again, and changes switched off: each against its fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conformance.crawl import form_headers
from tests.factories import Firm
from tests.operate.console import make_operator
from tests.operate.remedied import PACE, Ward, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.maintenance import Mode, Standing
from zena.kit.state import State
from zena.operate.maintenance.standing import declare
from zena.operate.orders.book import orders_of
from zena.operate.remedies.closing import READ_ONLY
from zena.operate.remedies.contract import Refused
from zena.operate.remedies.queue import PAUSE_KIND, RESUME_QUEUE
from zena.operate.remedies.runner import Aim, planned, taken_back
from zena.operate.remedies.runs import one
from zena.operate.symptoms import q1_backlog
from zena.operate.symptoms.catalogue import BY_ID

AT = datetime(2031, 7, 8, 9, 0, tzinfo=UTC)
KIND = "test.contained"
_PAUSED = "SELECT reason FROM queue.paused WHERE entrypoint = $1"


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made
        await day.conn.execute("DELETE FROM queue.paused WHERE entrypoint = $1", KIND)
        await day.conn.execute("DELETE FROM queue.pgqueuer WHERE entrypoint = $1", KIND)


async def test_a_kind_that_somebody_forgot_runs_again(ward: Ward) -> None:
    conn = ward.day.conn
    await conn.execute(
        "INSERT INTO queue.pgqueuer (priority, entrypoint, status, created, execute_after)"
        " VALUES (0, $1, 'queued', now() - interval '59 minutes', now() - interval '59 minutes')", KIND,
    )  # fmt: skip
    look = await ward.day.look()
    assert (await _reading(look)).over is False, "it is late, which is not this"
    await conn.execute("INSERT INTO queue.paused (entrypoint, reason) VALUES ($1, 'mail is down')", KIND)
    assert (await _reading(look)).over is False, "an hour may be meant"
    found = await _reading(ward.hand.look())
    assert found.over is True
    diagnosis = await q1_backlog.diagnose(ward.hand.look(), found)
    assert (diagnosis.cause, "mail is down" in diagnosis.causes[0].says) == ("paused", True)
    aim = Aim(incident=await ward.incident(BY_ID["Q1"], KIND))
    what = await planned(ward.hand, RESUME_QUEUE, aim)
    assert (what.plan.touches["jobs that wait"], "mail is down" in what.plan.effects[0]) == (1, True)
    outcome = await ward.heal(RESUME_QUEUE, aim)
    assert (outcome.verdict, await conn.fetchval(_PAUSED, KIND)) == ("fixed", None)
    with pytest.raises(Refused, match="not paused"):
        await RESUME_QUEUE.plan(ward.hand.look(), what.target)
    await taken_back(ward.hand, RESUME_QUEUE, await one(conn, outcome.run) or {}, "too soon")
    assert await conn.fetchval(_PAUSED, KIND) == "mail is down"


async def _reading(look: Any) -> Any:
    return next(one for one in await q1_backlog.watch(look) if one.scope == KIND)


async def test_a_kind_that_fails_is_stopped_and_let_run_again(ward: Ward) -> None:
    conn = ward.day.conn
    ward.day.made.length = 60 * PACE
    for _ in range(20):
        ward.day.made.job(KIND, "held", 0.1, 0.0)
    await ward.day.look()
    aim = Aim(incident=await ward.incident(BY_ID["Q2"], KIND))
    outcome = await ward.heal(PAUSE_KIND, aim)
    assert (outcome.verdict, outcome.says) == ("improved", "the harm is kept in; who mends it reads on")
    assert await conn.fetchval(_PAUSED, KIND) == "its jobs fail: paused by a remedy"
    with pytest.raises(Refused, match="paused already"):
        await planned(ward.hand, PAUSE_KIND, aim)
    await taken_back(ward.hand, PAUSE_KIND, await one(conn, outcome.run) or {}, "mended")
    assert await conn.fetchval(_PAUSED, KIND) is None


@asynccontextmanager
async def broken_rows(urls: ClusterUrls) -> AsyncIterator[None]:
    """The last look at the rows found some that contradict others."""
    conn, run = await asyncpg.connect(urls.superuser), new_id()
    try:
        await conn.execute(
            "INSERT INTO ops.integrity_run (id, started_at, finished_at, kind, checks, findings, report)"
            " VALUES ($1, now(), now() + interval '1 day', 'nightly', 9, 1, $2::text::jsonb)", run,
            '{"findings": [{"check": "orphans", "subject": "task", "count": 2, "advice": ""}], "unfinished": []}',
        )  # fmt: skip
        yield
    finally:
        await conn.execute("DELETE FROM ops.integrity_run WHERE id = $1", run)
        await conn.close()


async def test_changes_are_switched_off_and_an_operator_can_still_order_them_on(
    state: State, ward: Ward, urls: ClusterUrls, firm: Firm, http: httpx.AsyncClient
) -> None:
    operator, conn = await make_operator(state, firm, http), ward.day.conn
    number = await ward.incident(BY_ID["X2"])
    async with broken_rows(urls):
        try:
            outcome = await ward.heal(READ_ONLY, Aim(incident=number))
            assert outcome.verdict == "improved"
            await _follows(state, Mode.READ_ONLY)
            with pytest.raises(Refused, match="off already"):
                await planned(ward.hand, READ_ONLY, Aim(incident=number))
            refused = await firm.client(http).post("/api/v1/app/projects", json={"name": "x", "key": "XXX"})
            assert refused.status_code == 503
            page = f"/ops/incidents/{number}"
            assert f'id="undo-{outcome.run}"' in (await operator.get(page)).text
            fields = {"kind": "undo", "run": str(outcome.run)}
            sent = await operator.post(f"{page}/orders", headers=form_headers(operator), data=fields)
            assert sent.status_code == 303, sent.text
            assert [row["kind"] for row in await orders_of(conn, number)] == ["undo"]
            await taken_back(ward.hand, READ_ONLY, await one(conn, outcome.run) or {}, "mended")
            await _follows(state, Mode.UP)
        finally:
            await declare(conn, Standing(), actor="test")
            await _follows(state, Mode.UP)


async def _follows(state: State, mode: Mode) -> None:
    async with asyncio.timeout(10):
        while state.gate.mode is not mode:  # noqa: ASYNC110 - it is read from the database twice a second
            await asyncio.sleep(0.1)
