"""What was begun and how it ended, in ops.remedy_run, the incident's timeline and the record of changes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.changes import record
from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.remedies.contract import Plan, Remedy, Target, Verdict

#: One remedy may be applied so often to one target within the hour.
BUDGET: Final = 3
#: So many verdicts in a row that are no success, within the hour, and nothing more is believed to help.
FAILURES: Final = 3
HOUR: Final = timedelta(hours=1)
HELPED: Final = frozenset({"fixed", "improved"})
INTERRUPTED: Final = "interrupted, its effect is unknown: look before anything else"

# The same plan may be right again later; two that begin it at once are one.
_BEGIN: Final = """
INSERT INTO ops.remedy_run (remedy, symptom, scope, incident_id, actor, plan, plan_hash, key, before, at)
SELECT $1, $2, $3, $4, $5, $6::text::jsonb, $7, concat_ws(':', $7::text, count(r.id)), $8::text::jsonb, $9
  FROM (SELECT id FROM ops.remedy_run WHERE plan_hash = $7) AS r RETURNING id
"""
_END: Final = """
UPDATE ops.remedy_run SET ended_at = $2, verdict = $3, says = $4 WHERE id = $1 AND ended_at IS NULL RETURNING id
"""
_UNDONE: Final = "UPDATE ops.remedy_run SET undone_at = $2, undone_by = $3 WHERE id = $1"
_SPENT: Final = """
SELECT count(*) FROM ops.remedy_run WHERE remedy = $1 AND symptom = $2 AND scope = $3 AND at > $4 AND at <= $5
"""
_LAST: Final = """
SELECT verdict FROM ops.remedy_run WHERE ended_at > $1 AND ended_at <= $2 ORDER BY ended_at DESC, id DESC LIMIT $3
"""
_UNFINISHED: Final = "SELECT * FROM ops.remedy_run WHERE ended_at IS NULL ORDER BY id"
_EFFICACY: Final = """
SELECT remedy, count(*) AS runs, count(*) FILTER (WHERE verdict = 'fixed') AS fixed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - at))
         FILTER (WHERE verdict = 'fixed') AS median
  FROM ops.remedy_run WHERE ended_at IS NOT NULL GROUP BY remedy ORDER BY remedy
"""


async def begin(conn: Raw, remedy: Remedy, target: Target, plan: Plan, hashed: str, actor: str, now: datetime) -> int:
    """Write down, and commit, what is about to be done; return the run's number."""
    reading = {"says": target.reading.says, "value": target.reading.value}
    async with conn.transaction():
        made: int = await conn.fetchval(
            _BEGIN, remedy.id, target.symptom.id, target.scope, target.incident, actor, _text(asdict(plan)), hashed,
            _text(reading), now,
        )  # fmt: skip
        body = {"remedy": remedy.id, "run": made, "text": f"{remedy.id}, run {made}: {'; '.join(plan.effects)}"}
        await _told(conn, target.incident, now, "remedy applied", actor, body)
        await record(conn, "remedy", f"{remedy.id} for {target.says}"[:300], actor=actor, after={"run": made})
    return made


async def end(
    conn: Raw, run: int, verdict: Verdict, says: str, *, incident: int | None, actor: str, now: datetime
) -> bool:
    """Write down how a run ended; False if somebody else has done so."""
    async with conn.transaction():
        if await conn.fetchval(_END, run, now, verdict, says) is None:
            return False
        body = {"run": run, "verdict": verdict, "text": f"run {run}: {verdict}, {says}"}
        await _told(conn, incident, now, "remedy verdict", actor, body)
    return True


async def undone(conn: Raw, run: Mapping[str, Any], actor: str, now: datetime, why: str) -> None:
    """Write down that a run was taken back."""
    async with conn.transaction():
        await conn.execute(_UNDONE, run["id"], now, actor)
        body = {"run": run["id"], "text": f"run {run['id']} is taken back: {why}"}
        await _told(conn, run["incident_id"], now, "remedy undone", actor, body)
        await record(conn, "remedy", f"{run['remedy']} taken back", actor=actor, after={"run": run["id"]})


async def planned(conn: Raw, remedy: Remedy, target: Target, plan: Plan, hashed: str, actor: str, now: datetime) -> None:
    """Write into the incident's timeline, where there is one, what somebody thinks of doing; once per plan."""
    if target.incident is None:
        return
    async with conn.transaction():
        known = await timeline.entries(conn, target.incident)
        if not any(one["kind"] == "remedy planned" and one["body"].get("hash") == hashed for one in known):
            body = {"remedy": remedy.id, "hash": hashed, "text": f"{remedy.id}: {'; '.join(plan.effects)}"}
            await timeline.add(conn, target.incident, now, "remedy planned", actor, body)


async def finish_interrupted(conn: Raw, now: datetime) -> list[int]:
    """End runs whose process is gone, and say so on their incidents; return their numbers.

    Whoever applies one holds its lock as long as the session lives, and the server ends what it still does for it.
    """
    found = []
    for row in await conn.fetch(_UNFINISHED):
        name = lock_name(row["remedy"], row["symptom"], row["scope"])
        if not await take_lock(conn, name):
            continue
        try:
            if await end(
                conn, row["id"], "interrupted", INTERRUPTED, incident=row["incident_id"], actor="watch", now=now
            ):
                found.append(row["id"])
        finally:
            await drop_lock(conn, name)
    return found


def lock_name(remedy: str, symptom: str, scope: str) -> str:
    return f"remedy:{remedy}:{symptom}:{scope}"


async def take_lock(conn: Raw, name: str) -> bool:
    """Take the lock of one remedy on one target for this session; False while another has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name))


async def drop_lock(conn: Raw, name: str) -> None:
    await conn.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)


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


async def _told(conn: Raw, incident: int | None, at: datetime, kind: str, actor: str, body: Mapping[str, Any]) -> None:
    if incident is not None:
        await timeline.add(conn, incident, at, kind, actor, body)


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=str)
