"""What was begun and how it ended, in ops.remedy_run, the incident's timeline and the record of changes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.changes import record
from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.notices.outbox import follow
from zena.operate.remedies.contract import Planned, Target

#: One remedy may be applied so often to one target within the hour.
BUDGET: Final = 3
#: So many verdicts in a row that are no success, within the hour, and nothing more is believed to help.
FAILURES: Final = 3
HOUR: Final = timedelta(hours=1)
HELPED: Final = frozenset({"fixed", "improved"})

# The same plan may be right again later; two that begin it at once are one.
_BEGIN: Final = """
INSERT INTO ops.remedy_run (remedy, symptom, scope, incident_id, actor, plan, plan_hash, key, before, at)
SELECT $1, $2, $3, $4, $5, $6::text::jsonb, $7, concat_ws(':', $7::text, count(r.id)), $8::text::jsonb, $9
  FROM (SELECT id FROM ops.remedy_run WHERE plan_hash = $7) AS r RETURNING id
"""
_UNDONE: Final = "UPDATE ops.remedy_run SET undone_at = $2, undone_by = $3 WHERE id = $1"
# What was mended by it is not any more, unless by another.
_NOT_MENDED: Final = """
UPDATE ops.incident i SET mitigated_at = NULL WHERE i.id = $1 AND i.closed_at IS NULL AND NOT EXISTS (SELECT
  FROM ops.remedy_run r WHERE r.incident_id = i.id AND r.verdict = 'fixed' AND r.undone_at IS NULL)
"""
_SPENT: Final = """
SELECT count(*) FROM ops.remedy_run WHERE remedy = $1 AND symptom = $2 AND scope = $3 AND at > $4 AND at <= $5
"""
_LAST: Final = """
SELECT verdict FROM ops.remedy_run WHERE ended_at > $1 AND ended_at <= $2 ORDER BY ended_at DESC, id DESC LIMIT $3
"""
_EFFICACY: Final = """
SELECT remedy, count(*) AS runs, count(*) FILTER (WHERE verdict = 'fixed') AS fixed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - at))
         FILTER (WHERE verdict = 'fixed') AS median
  FROM ops.remedy_run WHERE ended_at IS NOT NULL GROUP BY remedy ORDER BY remedy
"""

_OF_INCIDENT: Final = """
SELECT id, remedy, actor, at, ended_at, verdict, says, undone_at, plan ->> 'undo' AS undo FROM ops.remedy_run
 WHERE incident_id = $1 ORDER BY id
"""


async def begin(conn: Raw, what: Planned, actor: str, now: datetime) -> int:
    """Write down, and commit, what is about to be done; return the run's number."""
    name, target = what.remedy.id, what.target
    reading = {"says": target.reading.says, "value": target.reading.value}
    async with conn.transaction():
        made: int = await conn.fetchval(
            _BEGIN, name, target.symptom.id, target.scope, target.incident, actor, _text(asdict(what.plan)), what.hash,
            _text(reading), now,
        )  # fmt: skip
        body = {"remedy": name, "run": made, "text": f"{name}, run {made}: {'; '.join(what.plan.effects)}"}
        await _told(conn, target.incident, now, "remedy applied", actor, body)
        await record(conn, "remedy", f"{name} for {target.says}"[:300], actor=actor, after={"run": made})
    return made


async def undone(conn: Raw, run: Mapping[str, Any], actor: str, now: datetime, why: str) -> None:
    """Write down that a run was taken back."""
    async with conn.transaction():
        await conn.execute(_UNDONE, run["id"], now, actor)
        await conn.execute(_NOT_MENDED, run["incident_id"])
        body = {"run": run["id"], "text": f"run {run['id']} is taken back: {why}"}
        await _told(conn, run["incident_id"], now, "remedy undone", actor, body)
        await follow(conn, run["incident_id"], "verdict", str(body["text"]), now, which=f"{run['id']}:undone")
        await record(conn, "remedy", f"{run['remedy']} taken back", actor=actor, after={"run": run["id"]})


async def planned(conn: Raw, what: Planned, actor: str, now: datetime) -> None:
    """Write into the incident's timeline, where there is one, what somebody thinks of doing; once per plan."""
    incident, name = what.target.incident, what.remedy.id
    if incident is None:
        return
    async with conn.transaction():
        known = await timeline.entries(conn, incident)
        if not any(one["kind"] == "remedy planned" and one["body"].get("hash") == what.hash for one in known):
            body = {"remedy": name, "hash": what.hash, "text": f"{name}: {'; '.join(what.plan.effects)}"}
            await timeline.add(conn, incident, now, "remedy planned", actor, body)


async def spent(conn: Raw, remedy: str, target: Target, now: datetime) -> bool:
    """Tell whether a remedy was applied to a target as often as it may be within the hour."""
    number: int = await conn.fetchval(_SPENT, remedy, target.symptom.id, target.scope, now - HOUR, now)
    return number >= BUDGET


async def frozen(conn: Raw, now: datetime) -> bool:
    """Tell whether the last remedies of the hour, whatever they were, did not help."""
    last = [row["verdict"] for row in await conn.fetch(_LAST, now - HOUR, now, FAILURES)]
    return len(last) == FAILURES and not HELPED.intersection(last)


async def efficacy(conn: Raw) -> dict[str, str]:
    """Return by remedy how often it helped: "fixed 14 of 16, median 41 s"."""
    return {
        row["remedy"]: f"fixed {row['fixed']} of {row['runs']}"
        + (f", median {row['median']:.0f} s" if row["median"] is not None else "")
        for row in await conn.fetch(_EFFICACY)
    }


async def one(conn: Raw, run: int) -> dict[str, Any] | None:
    """Return a run; None if there is none of that number. `plan` is as Plan says."""
    row = await conn.fetchrow("SELECT * FROM ops.remedy_run WHERE id = $1", run)
    if row is None:
        return None
    plan = json.loads(row["plan"]) if isinstance(row["plan"], str) else row["plan"]
    return dict(row) | {"plan": plan}


async def of_incident(conn: Raw, incident: int) -> list[dict[str, Any]]:
    """Return the runs for an incident in order, without their plans."""
    return [dict(row) for row in await conn.fetch(_OF_INCIDENT, incident)]


async def _told(conn: Raw, incident: int | None, at: datetime, kind: str, actor: str, body: Mapping[str, Any]) -> None:
    if incident is not None:
        await timeline.add(conn, incident, at, kind, actor, body)


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str)
