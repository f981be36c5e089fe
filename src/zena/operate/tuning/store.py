"""What is set, until when and by whom. Read by every process twice a second, written as zena_ops."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.changes import record
from zena.kit.db import Raw
from zena.operate.tuning.knobs import Knob

#: Nothing is set for longer: what is to stay belongs into the settings.
LONGEST: Final = timedelta(hours=24)
_IN_FORCE: Final = "SELECT name, value FROM ops.tuning WHERE until > now()"
_LISTED: Final = "SELECT name, value, until, since, actor, why FROM ops.tuning WHERE until > now() ORDER BY name"
_SET: Final = """
INSERT INTO ops.tuning (name, value, until, since, actor, why) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET value = $2, until = $3, since = $4, actor = $5, why = $6
"""
_END: Final = "DELETE FROM ops.tuning WHERE name = $1 AND until > now() RETURNING value"


@dataclass(frozen=True, slots=True)
class Tuning:
    """A value that is in force from `since` `until` then, and who set it, why."""

    knob: Knob
    value: float
    since: datetime
    until: datetime
    actor: str
    why: str


async def in_force(conn: Raw) -> dict[str, float]:
    """Return what is set now, by name. The application may read it."""
    return {row["name"]: row["value"] for row in await conn.fetch(_IN_FORCE)}


async def listed(conn: Raw) -> list[dict[str, Any]]:
    """Return what is set now, with until when, since when, by whom and why."""
    return [dict(row) for row in await conn.fetch(_LISTED)]


async def tune(conn: Raw, wanted: Tuning) -> None:
    """Set a value for a while as zena_ops, or set it anew, and write that down as a change."""
    knob = wanted.knob
    async with conn.transaction():
        before = (await in_force(conn)).get(knob.name)
        await conn.execute(_SET, knob.name, wanted.value, wanted.until, wanted.since, wanted.actor, wanted.why)
        said = f"{knob.name} is {wanted.value:g}{knob.unit and f' {knob.unit}'} until {wanted.until:%m-%d %H:%M}"
        await record(
            conn, "setting", said, actor=wanted.actor,
            before=None if before is None else {knob.name: before}, after={knob.name: wanted.value},
        )  # fmt: skip


async def untune(conn: Raw, knob: Knob, actor: str) -> bool:
    """Let it be again what it is otherwise; False when nothing was set."""
    async with conn.transaction():
        before = await conn.fetchval(_END, knob.name)
        if before is not None:
            said = f"{knob.name} is as the settings say again"
            await record(conn, "setting", said, actor=actor, before={knob.name: before})
    return before is not None
