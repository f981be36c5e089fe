"""A day of its own for what is measured: the other tests measure the present."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from tests.factories.visits import visiting
from zena.kit.db import set_json_codecs
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.symptoms.contract import Look
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests

_FORGET = (
    "DELETE FROM ops.symptom",
    "DELETE FROM ops.incident_event WHERE incident_id IN (SELECT id FROM ops.incident WHERE opened_at > '2031-01-01')",
    "DELETE FROM ops.incident WHERE opened_at > '2031-01-01'",
    "DELETE FROM ops.detector",
    "DELETE FROM ops.error_hour WHERE hour > '2031-01-01'",
    "DELETE FROM ops.error_group WHERE last_seen > '2031-01-01'",
)


@dataclass
class Day:
    """Counts requests and jobs at an instant of the tests' choosing; `later` moves it on."""

    state: State
    conn: Any
    now: datetime
    made: Recorder = field(init=False)
    flusher: Flusher = field(init=False)

    def __post_init__(self) -> None:
        self.made = Recorder(Requests(), self.seconds)
        self.flusher = Flusher(self.state, self.made, "test")

    def seconds(self) -> float:
        return self.now.timestamp()

    def later(self, **units: float) -> None:
        self.made.settle()  # a process does four times a second
        self.now += timedelta(**units)

    def request(
        self, route: str, ms: float, times: int = 1, *, status: int = 200, statement: str = "SELECT 1", sent: int = 1,
        spent: float = 0.0, tenant: str | None = None, spread: bool = True,
    ) -> None:  # fmt: skip
        """Count requests that took `ms`, of which `spent` went into one statement, sent so often; over two minutes."""
        for number in range(times):
            self.now += timedelta(minutes=1) if spread and number == times // 2 else timedelta(microseconds=1)
            with visiting(str(new_id())) as visit:
                visit.request_id, visit.tenant = new_id().hex, tenant
                for _ in range(sent):
                    visit.tally.query(statement, spent / sent / 1000)
                self.made.request(route, "GET", status, ms / 1000)

    async def look(self, pace: float = 1.0) -> Look:
        """Write what was counted, and return a look at it."""
        assert await self.flusher.flush()
        return Look(self.conn, self.state.settings, self.now, pace)


@asynccontextmanager
async def own_day(state: State, ops_url: str, at: datetime) -> AsyncIterator[Day]:
    """Lend a day for which partitions are made, and take both away again."""
    conn = await asyncpg.connect(ops_url)
    await set_json_codecs(conn)
    day, name = at.astimezone(UTC).date(), f"{at:%Y%m%d}"
    try:
        await conn.execute("SET ROLE zena_owner")
        for parent in ("point", "request"):
            await conn.execute(
                f"CREATE TABLE ops.{parent}_{name} PARTITION OF ops.{parent}"
                f" FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
            )
        await conn.execute("RESET ROLE")
        yield Day(state, conn, at)
    finally:
        await conn.execute("RESET ROLE")
        for statement in _FORGET:
            await conn.execute(statement)
        await conn.execute("SET ROLE zena_owner")
        for parent in ("point", "request"):
            await conn.execute(f"DROP TABLE IF EXISTS ops.{parent}_{name}")
        await conn.close()
