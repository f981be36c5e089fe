"""Remedies on a day of its own: symptoms of the tests' making, and the real ones at a pace of seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg

from tests.operate.watched import Day
from zena.kit.clock import FixedClock
from zena.operate.incidents import actions, timeline
from zena.operate.remedies.runner import Aim, Hand, Outcome, applied, planned
from zena.operate.symptoms.contract import Reading, Symptom

#: Four minutes of measuring become a second and a half.
PACE = 0.006


@dataclass
class Ward:
    """Applies remedies at the day's own time, and remembers what it was told."""

    day: Day
    lines: list[str] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)  # settings

    @property
    def hand(self) -> Hand:
        clock = FixedClock(self.day.now)
        settings = self.day.state.settings.model_copy(update=self.changed)
        return Hand(self.day.conn, settings, clock, "somebody", self.lines.append, PACE)

    async def incident(self, symptom: Symptom, scope: str = "") -> int:
        """Open an incident, as the process that watches would."""
        reading = Reading(scope, over=True, calm=False, says="too much of it", value=1.0, limit=0.1)
        made = await actions.open_incident(self.day.conn, symptom, reading, self.day.now, self.day.now)
        assert made is not None
        return made

    async def heal(self, remedy: Any, aim: Aim | None = None, *, even_so: bool = False) -> Outcome:
        """Plan, and apply the plan."""
        wanted = aim or Aim()
        what = await planned(self.hand, remedy, wanted)
        outcome = await applied(self.hand, remedy, wanted, what.hash, even_so=even_so)
        self.day.later(seconds=1)
        return outcome

    async def told(self, incident: int) -> list[tuple[str, str]]:
        """The kinds of an incident's timeline with what each says."""
        return [(one["kind"], timeline.words(one)) for one in await timeline.entries(self.day.conn, incident)]


@asynccontextmanager
async def warded(day: Day) -> AsyncIterator[Ward]:
    """Lend a ward, and forget its runs."""
    try:
        yield Ward(day)
    finally:
        await day.conn.execute("DELETE FROM ops.remedy_run WHERE at > '2031-01-01'")


@asynccontextmanager
async def session(url: str, application: str) -> AsyncIterator[Any]:
    """Somebody's session, which may be ended under its feet."""
    conn = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        yield conn
    finally:
        conn.terminate()


HOUR = timedelta(hours=1)
