"""Budgets and burn rates: the arithmetic, the floors that keep few events quiet, and the counts behind them."""

import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from tests.factories.visits import visiting
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.metrics.read import read_series
from zena.operate.slo.burn import RULES, WINDOWS, Count, burn, status_of, statuses, wilson_lower
from zena.operate.slo.objectives import BY_ID, OBJECTIVES
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests
from zena.operate.telemetry.rollup import REQUESTS_KEPT, count_objectives, drop_old, make_partitions, roll_up

API, ERRORS, CACHE = BY_ID["api"], BY_ID["errors"], BY_ID["cache"]


def counts(**windows: tuple[int, int]) -> dict[str, Count]:
    """Bad and total by window, `w5m` for the window of five minutes."""
    return {name.removeprefix("w"): Count(total - bad, total) for name, (bad, total) in windows.items()}


@pytest.mark.parametrize(
    ("bad", "total", "least"), [(3, 20, 0.05), (10, 100, 0.05), (64, 1000, 0.05), (17, 1000, 0.01)]
)
def test_a_share_is_believed_from_this_many_on(bad: int, total: int, least: float) -> None:
    """operations.md, finding 7, for the shares that the runbook alarms at."""
    assert wilson_lower(bad, total) > least
    assert wilson_lower(bad - 1, total) < least
    assert wilson_lower(0, 0) == 0


def test_burning_needs_both_windows_many_events_and_certainty() -> None:
    fast = counts(w5m=(20, 100), w1h=(200, 1000), w6h=(200, 6000), w30m=(100, 500), w30d=(200, 100_000))
    burning = status_of(ERRORS, fast)
    assert (burning.state, burning.alerts[0].severity, burning.alerts[0].window) == ("burning", "page", "1h")
    assert burning.left == pytest.approx(0.8)
    over = status_of(ERRORS, fast | counts(w5m=(0, 100), w30m=(0, 500)))
    assert over.state == "ok"
    few = status_of(ERRORS, counts(w5m=(1, 5), w1h=(1, 60), w30d=(1, 60)))
    assert (few.state, few.alerts) == ("ok", [])
    assert status_of(ERRORS, {}).state == "no_data"


def test_a_spent_budget_is_exhausted_and_a_goal_has_none() -> None:
    spent = status_of(API, counts(w30d=(600, 10_000), w1h=(0, 100)))
    assert spent.state == "exhausted"
    assert spent.left == pytest.approx(-0.2)
    low = status_of(CACHE, counts(w1h=(400, 1000)))
    assert (low.state, low.left) == ("burning", None)
    assert status_of(CACHE, counts(w1h=(100, 1000))).state == "ok"
    assert burn(Count(), 0.99) is None
    assert burn(Count(98, 100), 0.99) == pytest.approx(2.0)


def test_every_rule_can_fire_for_every_objective() -> None:
    """A burn rate above 1 / (1 - target) could never be reached."""
    for objective in OBJECTIVES:
        if objective.kind == "budget":
            all_bad = {name: Count(0, 1000) for rule in RULES for name in rule[2:]} | {"30d": Count(0, 1000)}
            assert len(status_of(objective, all_bad).alerts) == len(RULES), objective.id


async def test_objectives_are_counted_from_points_and_twice_is_once(state: State, urls: ClusterUrls) -> None:
    at = datetime(2031, 3, 4, 5, 6, 30, tzinfo=UTC)  # a time of its own: the other tests measure the present
    made = Recorder(Requests(), at.timestamp)
    with visiting(str(uuid4())):
        for status, seconds in [(200, 0.1), (200, 0.1), (200, 0.4), (500, 0.1)]:
            made.request("/api/v1/app/tasks", "GET", status, seconds)
    made.cache("kpi", None)
    made.cache("kpi", "cold")
    conn = await asyncpg.connect(urls.ops)
    try:
        await conn.execute("SET ROLE zena_owner")
        for parent in ("point", "request"):
            await conn.execute(
                f"CREATE TABLE ops.{parent}_20310304 PARTITION OF ops.{parent}"
                " FOR VALUES FROM ('2031-03-04 00:00+00') TO ('2031-03-05 00:00+00')"
            )
        await conn.execute("RESET ROLE")
        flusher = Flusher(state, made, "test")
        assert await flusher.flush()
        for late in (timedelta(minutes=14), timedelta(seconds=30)):  # the database was away meanwhile
            await roll_up(conn, at + late)
        found = {status.objective.id: status.counts["1h"] for status in await statuses(conn, at) if status.counts}
        assert (found["api"], found["errors"], found["cache"]) == (Count(2, 3), Count(3, 4), Count(1, 2))
        merged = await conn.fetch(
            "SELECT r.resolution, r.bucket, r.n FROM ops.rollup r JOIN ops.series s ON s.id = r.series_id"
            " WHERE r.bucket >= '2031-01-01' AND s.metric = 'http.api' AND s.label = 'GET /api/v1/app/tasks'"
            " ORDER BY r.resolution"
        )
        assert [(row["resolution"], row["bucket"].minute, row["n"]) for row in merged] == [(5, 5, 4), (60, 0, 4)]
        with visiting(str(uuid4())):
            made.request("/api/v1/app/tasks", "GET", 200, 0.1)
        assert await flusher.flush()
        for days in (1, 3):
            long_ago = at - timedelta(days=days)
            [tasks] = await read_series(conn, ["http.api"], long_ago, at)
            assert tasks.n == 5, "what is merged and what is not yet, each once"
        dropped = await drop_old(conn, at + REQUESTS_KEPT + timedelta(days=1))
        assert {"point_20310304", "request_20310304"} <= set(dropped)
    finally:
        await conn.execute("RESET ROLE")
        await make_partitions(conn)
        await conn.close()


async def test_windows_are_added_up_from_hours_as_from_minutes(urls: ClusterUrls) -> None:
    dice, end = random.Random(3), datetime(2032, 5, 6, 7, 8, 9, tzinfo=UTC)  # noqa: S311 - tests
    minutes = {end.replace(second=0) - timedelta(minutes=dice.randrange(32 * 1440)) for _ in range(4000)}
    counts = {at: (total - dice.randint(0, total), total) for at in minutes for total in [dice.randint(1, 50)]}
    rows = [(slo, at, good, total) for slo in ("api", "queue") for at, (good, total) in counts.items()]
    conn = await asyncpg.connect(urls.ops)
    try:
        columns = ("slo", "minute", "good", "total")
        await conn.copy_records_to_table("sli", schema_name="ops", columns=columns, records=rows)
        await count_objectives(conn, end - timedelta(days=33), end)
        for at in (end, end.replace(minute=0, second=0), end - timedelta(hours=3, minutes=59), end.replace(second=0)):
            found = {status.objective.id: status.counts for status in await statuses(conn, at)}
            for name, length in WINDOWS.items():
                inside = [counts[minute] for minute in minutes if at - length < minute <= at]
                wanted = Count(sum(good for good, _ in inside), sum(total for _, total in inside))
                assert [found[slo].get(name, Count()) for slo in ("api", "queue")] == [wanted, wanted], (at, name)
    finally:
        await conn.execute("DELETE FROM ops.sli WHERE minute > '2032-01-01'")
        await conn.execute("DELETE FROM ops.sli_hour WHERE hour > '2032-01-01'")
        await conn.close()
