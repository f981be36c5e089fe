"""What can be done to an incident: opened and closed by who watches, acknowledged and noted by people."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.notices.outbox import follow
from zena.operate.symptoms.contract import Diagnosis, Reading, Symptom

#: Who acts when nobody does: the program that watches.
WATCH: Final = "watch"

_OPEN: Final = """
INSERT INTO ops.incident (symptom, scope, severity, says, began_at, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (symptom, scope) WHERE closed_at IS NULL DO NOTHING RETURNING id
"""
_FIND: Final = "SELECT * FROM ops.incident WHERE id = $1 FOR UPDATE"
_ACK: Final = "UPDATE ops.incident SET acked_at = coalesce(acked_at, $2) WHERE id = $1"
_LAST_ACK: Final = "SELECT max(at) FROM ops.incident_event WHERE incident_id = $1 AND kind = 'acknowledged'"
#: Within so long a second acknowledgement is the first one, sent twice.
_ONCE: Final = timedelta(minutes=1)
_CLOSE: Final = """
UPDATE ops.incident SET closed_at = $2, mitigated_at = coalesce(mitigated_at, $3), verified_at = $4 WHERE id = $1
"""
# What has a graver consequence is as grave itself: a consequence is told to nobody.
_WORSE: Final = """
UPDATE ops.incident p SET severity = c.severity, worse_at = $3 FROM ops.incident c
 WHERE p.id = $1 AND c.id = $2
   AND array_position(ARRAY['critical', 'high', 'medium'], c.severity)
     < array_position(ARRAY['critical', 'high', 'medium'], p.severity)
RETURNING p.severity, p.parent_id
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
    """Make an incident a consequence of another, which becomes as grave as it is. Whoever was told of it is told so."""
    await conn.execute("UPDATE ops.incident SET parent_id = $2 WHERE id = $1", incident, parent)
    await timeline.add(conn, incident, now, "folded", WATCH, {"into": parent})
    await follow(conn, incident, "closed", f"a consequence of incident {parent}, and told of there", now)
    above: int | None = parent
    while above is not None and (worse := await conn.fetchrow(_WORSE, above, incident, now)):
        text = f"it is {worse['severity']} now, as incident {incident} is, which is a consequence of it"
        await timeline.add(conn, above, now, "note", WATCH, {"text": text})
        above = worse["parent_id"]


async def acknowledge(conn: Raw, incident: int, actor: str, now: datetime) -> None:
    """Say that somebody looks after it, for an hour; again renews it. Raises NoIncident, Closed."""
    async with conn.transaction():
        await _still_open(conn, incident)
        last = await conn.fetchval(_LAST_ACK, incident)
        if last is None or now >= last + _ONCE:
            await conn.execute(_ACK, incident, now)
            await timeline.add(conn, incident, now, "acknowledged", actor, {})
            await follow(conn, incident, "acknowledged", f"by {actor}", now, which=f"{now:%Y%m%dT%H%M%S}")


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
        await follow(conn, incident, "closed", f"by {actor}: {reason}", now)


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
        await follow(conn, incident, "closed", f"calm again: {reading.says}", now)
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
