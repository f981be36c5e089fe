"""One round: each symptom looked at, its readings remembered, incidents opened, explained, folded and closed."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zena.kit.db import Raw
from zena.kit.logs import get_logger
from zena.operate.incidents import actions
from zena.operate.notices.outbox import follow
from zena.operate.notices.telling import tell_opened
from zena.operate.symptoms.catalogue import SYMPTOMS
from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Symptom
from zena.operate.symptoms.figures import LONG
from zena.operate.watch.states import Standing, step

log = get_logger(__name__)

#: A look that takes longer than this has failed, seconds.
PATIENCE: Final = 10.0
#: More scopes than this that go wrong at once have one cause, and are one incident.
SEVERAL: Final = 3
#: An incident that opened so long before what folds it is taken for a consequence too, minutes.
TOGETHER: Final = 2
#: What an incident is put down to while the evidence for its cause is not there yet.
VAGUE: Final = ("unknown", "recent_change")

_KNOWN: Final = "SELECT scope, state, since, looks, calm, calm_since FROM ops.symptom WHERE symptom = $1"
_REMEMBER: Final = """
INSERT INTO ops.symptom (symptom, scope, state, since, looks, calm, calm_since, says, value, looked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (symptom, scope) DO UPDATE SET state = excluded.state, since = excluded.since, looks = excluded.looks,
    calm = excluded.calm, calm_since = excluded.calm_since, says = excluded.says, value = excluded.value,
    looked_at = excluded.looked_at
"""
_FORGET: Final = "DELETE FROM ops.symptom WHERE symptom = $1 AND scope = $2"
_LOOKED: Final = """
INSERT INTO ops.detector (symptom, looked_at, took_ms, database_ms, error) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (symptom) DO UPDATE SET looked_at = excluded.looked_at, took_ms = excluded.took_ms,
    database_ms = excluded.database_ms, error = excluded.error
"""
_PARENT: Final = """
SELECT id FROM ops.incident WHERE symptom = ANY ($1) AND closed_at IS NULL AND id <> $2 ORDER BY opened_at, id LIMIT 1
"""
_VAGUE: Final = """
SELECT id, cause FROM ops.incident
 WHERE symptom = $1 AND scope = $2 AND closed_at IS NULL AND opened_at >= $3 AND (cause IS NULL OR cause = ANY ($4))
"""
_CHILDREN: Final = """
SELECT id FROM ops.incident WHERE symptom = ANY ($1) AND closed_at IS NULL AND parent_id IS NULL AND opened_at >= $2
   AND id <> $3 ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident that this round opened, with what is behind it."""

    id: int
    symptom: Symptom
    reading: Reading
    diagnosis: Diagnosis


async def look_around(look: Look, symptoms: Sequence[Symptom] = SYMPTOMS) -> list[Opened]:
    """Look at every symptom once. One that fails to look says so in ops.detector and keeps none of the others."""
    opened = []
    for symptom in symptoms:
        began, error, spent = time.perf_counter(), None, list[float]()
        try:
            async with asyncio.timeout(PATIENCE):
                with look.conn.query_logger(lambda query, spent=spent: spent.append(query.elapsed)):
                    opened += await _look_at(look, symptom)
        except Exception as failure:
            if look.conn.is_closed():
                raise
            log.exception("a symptom could not be looked at", symptom=symptom.id)
            error = type(failure).__name__
        took = (time.perf_counter() - began) * 1000
        await look.conn.execute(_LOOKED, symptom.id, look.now, took, sum(spent) * 1000, error)
    return opened


async def _look_at(look: Look, symptom: Symptom) -> list[Opened]:
    readings = await symptom.watch(look)
    fresh: list[tuple[int, Reading]] = []
    lasting: list[Reading] = []
    async with look.conn.transaction():
        for reading, was in await _with_known(look.conn, symptom, readings):
            now_is, move = step(was, reading, look.now, symptom.opens_after)
            if move == "opened" and now_is is not None:
                made = await actions.open_incident(look.conn, symptom, reading, now_is.since, look.now)
                fresh += [(made, reading)] if made is not None else []
            if move == "closed" and now_is is not None:
                since = now_is.calm_since or look.now
                await actions.close_verified(look.conn, symptom.id, reading, since, look.now)
                now_is = None
            if move == "none" and reading.over and now_is is not None and now_is.state == "open":
                lasting.append(reading)
            await _remember(look, symptom, reading, now_is)
    opened = [await _explain(look, symptom, incident, reading) for incident, reading in fresh]
    again = [await _explain_again(look, symptom, reading) for reading in lasting]
    return opened + [one for one in again if one is not None]


async def _with_known(
    conn: Raw, symptom: Symptom, readings: Sequence[Reading]
) -> list[tuple[Reading, Standing | None]]:
    """Return each reading with what was known of its scope. What is known and not read any more has gone quiet."""
    rows = await conn.fetch(_KNOWN, symptom.id)
    known = {
        row["scope"]: Standing(row["state"], row["since"], row["looks"], row["calm"], row["calm_since"]) for row in rows
    }
    gathered = gather(readings, {scope for scope, standing in known.items() if standing.state == "open"})
    quiet = sorted(known.keys() - {one.scope for one in readings} - {one.scope for one in gathered})
    gathered += [Reading(scope, over=False, calm=True, says="nothing of it is counted any more") for scope in quiet]
    return [(reading, known.get(reading.scope)) for reading in gathered]


def gather(readings: Sequence[Reading], open_scopes: Iterable[str]) -> list[Reading]:
    """Make one reading, "several", of scopes that go wrong at once; those that are open already stay by themselves."""
    own = set(open_scopes)
    fresh = [one for one in readings if one.over and one.scope not in own]
    if len(fresh) <= SEVERAL:
        return list(readings)
    says = f"{len(fresh)} at once, for example {fresh[0].scope}: {fresh[0].says}"
    facts = {"scopes": [one.scope for one in fresh]} | _merged([one.facts for one in fresh])
    worst = max(fresh, key=lambda one: one.value or 0)
    rest = [one for one in readings if one not in fresh]
    severities = {one.severity for one in fresh}
    severity = severities.pop() if len(severities) == 1 else None
    return [
        Reading(
            "several", over=True, calm=False, says=says, value=worst.value, limit=worst.limit, facts=facts,
            severity=severity,
        ),
        *rest,
    ]  # fmt: skip


def _merged(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join lists of the same name, and add up counts of the same name."""
    whole: dict[str, Any] = {}
    for one in facts:
        for name, value in one.items():
            if isinstance(value, list):
                whole[name] = [*whole.get(name, []), *value]
            elif isinstance(value, dict):
                before = whole.setdefault(name, {})
                before.update({key: before.get(key, 0) + number for key, number in value.items()})
    return whole


async def _remember(look: Look, symptom: Symptom, reading: Reading, now_is: Standing | None) -> None:
    if now_is is None:
        await look.conn.execute(_FORGET, symptom.id, reading.scope)
        return
    await look.conn.execute(
        _REMEMBER, symptom.id, reading.scope, now_is.state, now_is.since, now_is.looks, now_is.calm, now_is.calm_since,
        reading.says, reading.value, look.now,
    )  # fmt: skip


async def _explain(look: Look, symptom: Symptom, incident: int, reading: Reading) -> Opened:
    """Find out what is behind a new incident, and whether it is a consequence, or has some, itself."""
    diagnosis = await _diagnosed(look, symptom, reading)
    async with look.conn.transaction():
        await actions.note_diagnosis(look.conn, incident, diagnosis, look.now)
        above = [one.id for one in SYMPTOMS if symptom.id in one.folds]
        parent = await look.conn.fetchval(_PARENT, above, incident)
        if parent is not None:
            await actions.fold(look.conn, incident, parent, look.now)
        for row in await look.conn.fetch(_CHILDREN, sorted(symptom.folds), look.since(TOGETHER), incident):
            await actions.fold(look.conn, row["id"], incident, look.now)
        await tell_opened(look.conn, look.settings, incident, look.now)
    log.warning("incident opened", incident=incident, symptom=symptom.id, scope=reading.scope, cause=diagnosis.cause)
    return Opened(incident, symptom, reading, diagnosis)


async def _explain_again(look: Look, symptom: Symptom, reading: Reading) -> Opened | None:
    """Look once more for the cause of what is open without one: evidence may come later.

    What was opened and not explained, because who did so was killed in between, is explained as if it was new.
    """
    row = await look.conn.fetchrow(_VAGUE, symptom.id, reading.scope, look.since(LONG), list(VAGUE))
    if row is None:
        return None
    if row["cause"] is None:
        return await _explain(look, symptom, row["id"], reading)
    diagnosis = await _diagnosed(look, symptom, reading)
    if diagnosis.cause in VAGUE:
        return None
    async with look.conn.transaction():
        await actions.note_diagnosis(look.conn, row["id"], diagnosis, look.now)
        await follow(look.conn, row["id"], "explained", f"it was {row['cause']} at first", look.now)
    log.warning("incident explained", incident=row["id"], symptom=symptom.id, cause=diagnosis.cause)
    return None


async def _diagnosed(look: Look, symptom: Symptom, reading: Reading) -> Diagnosis:
    """Return what is behind a reading. The incident stands, whether it can be explained or not."""
    try:
        return await symptom.diagnose(look, reading)
    except Exception:
        log.exception("a symptom could not be explained", symptom=symptom.id)
        return Diagnosis(ruled_out=[("diagnosis", "it failed: see the log of the process that watches")])
