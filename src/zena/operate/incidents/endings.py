"""How runs of remedies end, and the locks that tell whether one is under way."""

from datetime import datetime
from typing import Final

from zena.kit.db import Raw
from zena.operate.incidents import timeline
from zena.operate.notices.outbox import follow

_END: Final = """
UPDATE ops.remedy_run SET ended_at = $2, verdict = $3, says = $4
 WHERE id = $1 AND ended_at IS NULL RETURNING incident_id
"""
_MITIGATED: Final = "UPDATE ops.incident SET mitigated_at = $2 WHERE id = $1 AND mitigated_at IS NULL"


async def end(conn: Raw, run: int, verdict: str, says: str, *, actor: str, now: datetime) -> bool:
    """Write down how a run ended; False if somebody else has done so."""
    async with conn.transaction():
        row = await conn.fetchrow(_END, run, now, verdict, says)
        if row is None:
            return False
        text = f"run {run}: {verdict}, {says}"
        body = {"run": run, "verdict": verdict, "text": text}
        if row["incident_id"] is not None:
            await timeline.add(conn, row["incident_id"], now, "remedy verdict", actor, body)
            await follow(conn, row["incident_id"], "verdict", text, now, which=str(run))
            if verdict == "fixed":
                await conn.execute(_MITIGATED, row["incident_id"], now)
    return True


def lock_name(remedy: str, symptom: str, scope: str) -> str:
    return f"remedy:{remedy}:{symptom}:{scope}"


async def take_lock(conn: Raw, name: str) -> bool:
    """Take the lock of one remedy on one target for this session; False while another has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name))


async def drop_lock(conn: Raw, name: str) -> None:
    await conn.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
