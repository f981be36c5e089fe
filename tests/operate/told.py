"""Incidents on a day of its own, told to sinks at the day's own time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.operate.sinks import Asked, Sink, opened, set_up
from tests.operate.watched import Day, own_day
from zena.kit.mail import NullMailer
from zena.kit.state import State
from zena.operate.alerts.teller import Teller
from zena.operate.incidents import actions
from zena.operate.incidents.endings import end
from zena.operate.notices.telling import tell_opened
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Reading

WHY = Diagnosis(
    [Hypothesis("lock", 0.95, "a session waits", [Evidence("a", "one"), Evidence("b", "two")], "zena db activity")]
)
_RUN = """
INSERT INTO ops.remedy_run (remedy, symptom, scope, incident_id, actor, plan, plan_hash, key, before, at)
VALUES ('analyze', 'B1', 'x', $1, 'lan', '{}', '', gen_random_uuid()::text, '{}', $2) RETURNING id
"""
_KEPT = "SELECT kind, channel, sent_at, failed_at, error, attempts FROM ops.notice WHERE incident_id = $1 ORDER BY id"


@dataclass
class Duty:
    """Opens incidents as who watches does, and tells of them. Only what belongs to its own incidents is returned."""

    day: Day
    sink: Sink
    channels: tuple[str, ...]
    made: list[int] = field(default_factory=list)
    mailer: NullMailer = field(default_factory=NullMailer)

    def __post_init__(self) -> None:
        self.settings = set_up(self.day.state.settings, self.sink, *self.channels)
        self.teller = self.another()

    def now(self) -> datetime:
        """The day's time: this is the clock, too."""
        return self.day.now

    def another(self) -> Teller:
        """A teller of another worker."""
        return Teller(replace(self.day.state, settings=self.settings, clock=self, mail=self.mailer))

    async def open(self, symptom: str = "B1", scope: str = "x", *, under: int | None = None) -> int:
        """Open an incident, explain it, and make it a consequence of another, as one round does."""
        reading = Reading(scope, over=True, calm=False, says="42 of 120 are slow", value=1.0, limit=0.1)
        conn, now = self.day.conn, self.day.now
        async with conn.transaction():
            incident = await actions.open_incident(conn, BY_ID[symptom], reading, now, now)
        assert incident is not None
        self.made.append(incident)
        async with conn.transaction():
            await actions.note_diagnosis(conn, incident, WHY, now)
            if under is not None:
                await actions.fold(conn, incident, under, now)
            await tell_opened(conn, self.settings, incident, now)
        return incident

    async def close(self, symptom: str = "B1", scope: str = "x") -> None:
        """Close it as what watches does when all is calm."""
        reading = Reading(scope, over=False, calm=True, says="0 of 90 are slow")
        async with self.day.conn.transaction():
            await actions.close_verified(self.day.conn, symptom, reading, self.day.now, self.day.now)

    async def verdict(self, incident: int, verdict: str) -> int:
        """End a run of a remedy."""
        run: int = await self.day.conn.fetchval(_RUN, incident, self.day.now)
        await end(self.day.conn, run, verdict, "as measured", actor="lan", now=self.day.now)
        return run

    async def tell(self) -> None:
        """Write what is due, and send until nothing more can be sent at this moment."""
        for _ in range(100):
            await self.teller.once(self.day.conn)
            if not self.teller._under_way:
                return
            await self.teller.settled()
        raise AssertionError("it does not come to an end")

    async def later(self, **units: float) -> None:
        """Let time pass, then tell."""
        self.day.later(**units)
        await self.tell()

    async def kept(self, incident: int) -> list[Any]:
        return list(await self.day.conn.fetch(_KEPT, incident))

    def slack(self, incident: int) -> list[dict[str, Any]]:
        return [one.body for one in self.sink.slack if f"(incident {incident})" in one.body["text"]]

    def heads(self, incident: int) -> list[str]:
        """What Slack was told, without what is the same in each."""
        return [one["text"].splitlines()[0].partition(" B1 ")[0] for one in self.slack(incident)]

    def paged(self, incident: int) -> list[dict[str, Any]]:
        return [one.body for one in self.sink.pages if one.body["dedup_key"].endswith(f":{incident}")]

    def actions(self, incident: int) -> list[str]:
        return [one["event_action"] for one in self.paged(incident)]

    def hooked(self, incident: int) -> list[Asked]:
        return [one for one in self.sink.hooks if one.body["incident"] == incident]

    def letters(self, incident: int) -> list[tuple[str, str]]:
        number = f"(incident {incident})"
        return [(one.to, one.subject) for one in self.mailer.sent if number in one.subject]


@asynccontextmanager
async def on_duty(state: State, ops_url: str, at: datetime, *channels: str) -> AsyncIterator[Duty]:
    """Lend a duty with these channels, and forget what it left."""
    async with own_day(state, ops_url, at) as day, opened(Sink()) as sink:
        made = Duty(day, sink, channels)
        try:
            yield made
        finally:
            for left, under_way in made.teller._under_way.values():
                assert left
                under_way.cancel()
            await day.conn.execute("DELETE FROM ops.remedy_run WHERE at > '2031-01-01'")
            await day.conn.execute("DELETE FROM ops.mute WHERE since > '2031-01-01'")
            await day.conn.execute("DELETE FROM ops.notice WHERE at > '2031-01-01'")
