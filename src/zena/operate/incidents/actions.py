"""What can be done to an incident: opened and closed by who watches, acknowledged and noted by people."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.symptoms.contract import Diagnosis, Reading, Symptom

#: Who acts when nobody does: the program that watches.
WATCH: Final = "watch"

_OPEN: Final = """
INSERT INTO ops.incident (symptom, scope, severity, says, began_at, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (symptom, scope) WHERE closed_at IS NULL DO NOTHING RETURNING id
"""
_FIND: Final = "SELECT * FROM ops.incident WHERE id = $1 FOR UPDATE"
_ACK: Final = "UPDATE ops.incident SET acked_at = $2 WHERE id = $1"
_CLOSE: Final = """
UPDATE ops.incident SET closed_at = $2, mitigated_at = $3, verified_at = $4 WHERE id = $1
"""


class NoIncident(LookupError):  # noqa: N818 - says what is
    """There is no incident of that number."""


class Closed(Exception):  # noqa: N818 - says what is
    """The incident is closed already."""


async def open_incident(conn: Raw, symptom: Symptom, reading: Reading, began: datetime, now: datetime) -> int | None:
    """Open an incident, as zena_ops in a transaction; None if one is open for this symptom and scope."""
    severity = str(reading.severity or symptom.severity)
    made: int | None = await conn.fetchval(_OPEN, symptom.id, reading.scope, severity, reading.says, began, now)
    if made is not None:
        body = {"says": reading.says, "value": reading.value, "limit": reading.limit, "facts": reading.facts}
        await timeline.add(conn, made, now, "opened", WATCH, body)
    return made


async def note_diagnosis(conn: Raw, incident: int, diagnosis: Diagnosis, now: datetime) -> None:
    """Keep what was found to be behind it, with the evidence and what was ruled out."""
    await conn.execute("UPDATE ops.incident SET cause = $2 WHERE id = $1", incident, diagnosis.cause)
    await timeline.add(conn, incident, now, "diagnosed", WATCH, asdict(diagnosis))


async def fold(conn: Raw, incident: int, parent: int, now: datetime) -> None:
    """Make an incident a consequence of another."""
    await conn.execute("UPDATE ops.incident SET parent_id = $2 WHERE id = $1", incident, parent)
    await timeline.add(conn, incident, now, "folded", WATCH, {"into": parent})


async def acknowledge(conn: Raw, incident: int, actor: str, now: datetime) -> None:
    """Say that somebody looks after it. A second time changes nothing. Raises NoIncident, Closed."""
    async with conn.transaction():
        found = await _still_open(conn, incident)
        if found["acked_at"] is None:
            await conn.execute(_ACK, incident, now)
            await timeline.add(conn, incident, now, "acknowledged", actor, {})


async def note(conn: Raw, incident: int, actor: str, text: str, now: datetime) -> None:
    """Add a person's words; a closed incident takes them too. Raises NoIncident."""
    async with conn.transaction():
        await _found(conn, incident)
        await timeline.add(conn, incident, now, "note", actor, {"text": text})


async def close(conn: Raw, incident: int, actor: str, reason: str, now: datetime) -> None:
    """Close by a person's decision, unverified; what watches forgets it, and opens another if it goes on.

    Raises NoIncident, Closed.
    """
    async with conn.transaction():
        found = await _still_open(conn, incident)
        await conn.execute(_CLOSE, incident, now, None, None)
        await conn.execute(
            "DELETE FROM ops.symptom WHERE symptom = $1 AND scope = $2", found["symptom"], found["scope"]
        )
        await timeline.add(conn, incident, now, "closed", actor, {"reason": reason})


async def close_verified(conn: Raw, symptom: str, reading: Reading, calm_since: datetime, now: datetime) -> int | None:
    """Close what its own detector finds calm again and again, since `calm_since`; None if none is open."""
    incident: int | None = await conn.fetchval(
        "SELECT id FROM ops.incident WHERE symptom = $1 AND scope = $2 AND closed_at IS NULL FOR UPDATE",
        symptom,
        reading.scope,
    )
    if incident is not None:
        await conn.execute(_CLOSE, incident, now, calm_since, now)
        await timeline.add(conn, incident, now, "closed", WATCH, {"reason": "calm again", "says": reading.says})
    return incident


async def _found(conn: Raw, incident: int) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await conn.fetchrow(_FIND, incident)
    if row is None:
        raise NoIncident(incident)
    return row


async def _still_open(conn: Raw, incident: int) -> Mapping[str, Any]:
    row = await _found(conn, incident)
    if row["closed_at"] is not None:
        raise Closed(incident)
    return row
