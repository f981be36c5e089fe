"""Every ten seconds a process writes what it counted: its own rows only, so no process waits for another."""

import asyncio
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from zena import __version__
from zena.kit.db import Raw, asyncpg_dsn, set_json_codecs
from zena.kit.ids import new_id
from zena.kit.logs import ERRORS, get_logger, log_state
from zena.kit.realtime.standing import standing
from zena.operate.logs import groups
from zena.operate.logs.canary import Canary
from zena.operate.telemetry.cells import Series
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.ring import Ring

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

EVERY: Final = 10.0
_PATIENCE: Final = 5.0
#: Errors that could not be written for so long are let go.
ERRORS_KEPT: Final = timedelta(hours=6)

#: Measuring goes on while changes are switched off.
_READ_WRITE = "SET TRANSACTION READ WRITE"
_SERIES = """
WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[]) AS w (metric, label)),
made AS (INSERT INTO ops.series (metric, label) SELECT metric, label FROM wanted
         ON CONFLICT DO NOTHING RETURNING id, metric, label)
SELECT id, metric, label FROM made
UNION SELECT s.id, s.metric, s.label FROM ops.series s JOIN wanted USING (metric, label)
"""
_POINTS = """
INSERT INTO ops.point (minute, process, series_id, n, bad, slow, total, peak, bins, counts)
SELECT minute, $1, series_id, n, bad, slow, total, peak, bins::smallint[], counts::bigint[]
  FROM unnest($2::timestamptz[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::float8[], $8::float8[],
              $9::text[], $10::text[]) AS p (minute, series_id, n, bad, slow, total, peak, bins, counts)
ON CONFLICT (minute, series_id, process) DO UPDATE SET n = excluded.n, bad = excluded.bad, slow = excluded.slow,
    total = excluded.total, peak = excluded.peak, bins = excluded.bins, counts = excluded.counts
"""
_STATEMENTS = """
INSERT INTO ops.statement (fingerprint, text, caller) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (fingerprint) DO UPDATE SET caller = excluded.caller
    WHERE statement.caller IS NULL AND excluded.caller IS NOT NULL
"""
_REQUESTS = """
INSERT INTO ops.request (at, request_id, process, method, route, status, ms, kept_for, tenant, person, release, facts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
"""
_HEARTBEAT = """
INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)
VALUES ($1, $2, $3, $4, $5, $6, now(), $7)
ON CONFLICT (process) DO UPDATE SET seen_at = excluded.seen_at, facts = excluded.facts
"""


class Flusher:
    """Writes a recorder's minutes, statements and requests, over a connection of its own."""

    def __init__(self, state: "State", recorder: Recorder, role: str) -> None:
        self.recorder, self.role = recorder, role
        self.process = new_id()
        self.started = state.clock.now()
        self.failures = 0
        self.ended = False
        self._state = state
        self._url = state.db.options.direct_url or state.db.options.url
        self._conn: Raw | None = None
        self._ids: dict[Series, int] = {}
        self._canary = Canary(state.clock, state.settings.pace)
        self._ring = Ring(state.settings.data_dir / "telemetry", f"{role}-{os.getpid()}")

    async def run(self) -> None:
        """Flush until cancelled, then once more, saying that the process ended in order: it is then not missed."""
        with suppress(OSError):
            self._ring.open()
        try:
            while True:
                await self._look_at_the_log()
                await self.flush()
                await asyncio.sleep(EVERY * self._state.settings.pace)
        finally:
            self.ended = True
            await self.flush()
            await self._drop()

    async def _look_at_the_log(self) -> None:
        try:
            await self._canary.look()
        except Exception:  # a fault of ours must not end all measuring until the next start
            log.exception("not looked whether errors can be read")

    async def flush(self) -> bool:
        """Write what there is; False if the database did not take it: it is kept and tried again."""
        self.recorder.settle()
        kept = self.recorder.requests.take()
        with suppress(OSError):
            await asyncio.to_thread(self._ring.write, kept)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._write(kept)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("measurements not written", error=type(error).__name__, failures=self.failures + 1)
            return await self._failed(kept)
        except Exception:  # a fault of ours must not end all measuring until the next start
            log.exception("measurements not written", failures=self.failures + 1)
            return await self._failed(kept)
        self.failures = 0
        return True

    async def _failed(self, kept: list[Any]) -> bool:
        self.failures += 1
        self.recorder.requests.waiting.extendleft(reversed(kept[-100:]))
        await self._drop()
        return False

    async def _write(self, kept: list[Any]) -> None:
        conn = await self._connected()
        statements = [(s.fingerprint, s.text, s.caller) for s in self.recorder.fresh.values()]
        minutes = list(self.recorder.minutes())
        await self._learn_ids(conn, {series for _, cells in minutes for series in cells})
        async with conn.transaction():
            await conn.execute(_READ_WRITE)
            await self._write_points(conn, minutes)
            if statements:
                await conn.execute(_STATEMENTS, *map(list, zip(*statements, strict=True)))
            await conn.executemany(_REQUESTS, [self._row(record) for record in kept])
            log_lines = log_state()
            facts: dict[str, Any] = {
                "lost_minutes": self.recorder.lost,
                "dropped_requests": self.recorder.requests.dropped,
                "dropped_lines": log_lines.dropped,
                "log_trouble": log_lines.trouble or self._canary.trouble,
            }
            if self._state.hub is not None:
                facts["live"] = standing(self._state.hub)
            if self.ended:
                facts["ended"] = 1
            host, pid = socket.gethostname(), os.getpid()
            await conn.execute(_HEARTBEAT, self.process, self.role, host, pid, __version__, self.started, facts)
        for fingerprint, _, caller in statements:
            if (
                self.recorder.fresh[fingerprint].caller == caller
            ):  # else it was learnt just now, and is written next time
                del self.recorder.fresh[fingerprint]
        if minutes:
            self.recorder.forget(minutes[-1][0])
        await self._write_errors(conn)

    async def _write_errors(self, conn: Raw) -> None:
        """Add to the kinds of error: rows that others write too, so in a short transaction of their own."""
        kinds = ERRORS.take()
        try:
            if kinds:
                async with conn.transaction():
                    await conn.execute(_READ_WRITE)
                    await groups.store(conn, kinds)
        except BaseException:
            ERRORS.give_back(kinds, after=self._state.clock.now() - ERRORS_KEPT)
            raise

    async def _write_points(self, conn: Raw, minutes: list[tuple[int, dict[Series, Any]]]) -> None:
        # Counting went on meanwhile: a series that is new since is written next time, its minute is still there.
        length = self.recorder.length
        rows = [
            (datetime.fromtimestamp(minute * length, UTC), self._ids[series], c.n, c.bad, c.slow, c.total, c.peak,
             _array(c.bins), _array(c.bins.values()))
            for minute, cells in minutes for series, c in sorted(cells.items()) if series in self._ids
        ]  # fmt: skip
        if rows:
            await conn.execute(_POINTS, self.process, *map(list, zip(*rows, strict=True)))

    async def _learn_ids(self, conn: Raw, wanted: set[Series]) -> None:
        """Make and remember ids, committed: one that was rolled back with something else would take points for ever."""
        missing = sorted(wanted - self._ids.keys())
        if missing:
            labels = [series.label for series in missing]
            async with conn.transaction():
                await conn.execute(_READ_WRITE)
                rows = await conn.fetch(_SERIES, [series.metric for series in missing], labels)
            self._ids |= {Series(row["metric"], row["label"]): row["id"] for row in rows}
        if not wanted <= self._ids.keys():  # another process makes the same ones just now: next time they are there
            raise TimeoutError("series are being made")

    def _row(self, record: Any) -> tuple[Any, ...]:
        tenant, person = (UUID(value) if value else None for value in (record.tenant, record.person))
        return (
            record.at, record.request_id, self.process, record.method, record.route, record.status, record.ms,
            record.kept_for, tenant, person, __version__, record.facts,
        )  # fmt: skip

    async def _connected(self) -> Raw:
        if self._conn is None or self._conn.is_closed():
            self._conn = await asyncpg.connect(
                asyncpg_dsn(self._url), timeout=_PATIENCE, command_timeout=_PATIENCE,
                server_settings={"application_name": "zena-telemetry", "timezone": "UTC"},
            )  # fmt: skip
            await set_json_codecs(self._conn)
        return self._conn

    async def _drop(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(Exception):
                await conn.close(timeout=1)


def _array(numbers: Any) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"
