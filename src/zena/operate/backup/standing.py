"""How backups stand, as a reader of measurements sees it: what is proved, what would be lost, when the next is made."""

from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.backup.records import PUT_BACK, REWOUND, TAKEN_BACK
from zena.operate.queue.standing import schedules

#: One is made each night; when the newest proved one is older than this, a night was missed.
PROMISE: Final = timedelta(hours=26)
#: With the log kept, no more than this is lost.
LOG_PROMISE: Final = timedelta(seconds=60)
#: The directory is looked at each minute; when the last look is older than this, nobody looks.
_UNSEEN: Final = timedelta(minutes=5)
_JOBS: Final = ("operate.backup", "operate.base")

_ARCHIVES: Final = """
SELECT name, kind, made_at, bytes, rows, files, release, revision, proved_at, fault FROM ops.backup
 ORDER BY made_at DESC, name
"""
_PLACE: Final = """
SELECT host, looked_at, free_bytes, log_until, log_pieces, log_bytes, log_waiting FROM ops.backup_place
 ORDER BY looked_at DESC, host LIMIT 1
"""
_ARCHIVER: Final = """
SELECT last_archived_time AS laid_at, coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL)
       AS failing, last_failed_wal AS failed
  FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
"""
#: Who fetches the log by itself; what is not fetched stays on the server's disk.
_SLOTS: Final = """
SELECT slot_name AS name, active, wal_status AS state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS behind_bytes
  FROM pg_replication_slots WHERE slot_type = 'physical' ORDER BY slot_name
"""
_RESTORED: Final = """
SELECT at, what, actor, after ->> 'archive' AS archive FROM ops.change
 WHERE kind = 'backup' AND what = ANY($1) ORDER BY at DESC, id DESC LIMIT 1
"""
_HELD: Final = "SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = ANY($1) AND status = 'failed'"


async def standing(conn: Raw, now: datetime) -> dict[str, Any]:
    """Return how backups stand at `now`, for people and for scripts.

    `newest` is the newest proved dump; `late` whether it is older than promised, or there is none. `lost` tells up to
    when everything is kept (`until`, None: nothing is) and whether that is too long ago. `rewind` is the span one can
    go back in, None without a base backup and the log after it.
    """
    archives = [dict(row) for row in await conn.fetch(_ARCHIVES)]
    place = await conn.fetchrow(_PLACE)
    archiver = await conn.fetchrow(_ARCHIVER)
    plans = {row["name"]: row for row in await schedules(conn, now, only=_JOBS)}
    restored = await conn.fetchrow(_RESTORED, [PUT_BACK, TAKEN_BACK, REWOUND])
    rewind = _rewind(archives, place["log_until"] if place else None)
    newest = next((one for one in archives if one["kind"] == "dump" and _is_proved(one)), None)
    return {
        "at": now,
        "archives": archives,
        "newest": newest,
        "late": newest is None or now - newest["made_at"] > PROMISE,
        "lost": _lost(newest, rewind, now),
        "rewind": rewind,
        "place": dict(place) if place else None,
        "unseen": place is None or now - place["looked_at"] > _UNSEEN,
        "archiver": dict(archiver) if archiver else None,
        "slots": await slots(conn),
        "next": plans.get("operate.backup"),
        "next_base": plans.get("operate.base") if rewind or archiver else None,
        "restored": dict(restored) if restored else None,
        "held": await conn.fetchval(_HELD, list(_JOBS)),
    }


async def newest_proved(conn: Raw, now: datetime) -> dict[str, Any]:
    """Return `made_at` of the newest proved dump (None: there is none) and whether it is `late`."""
    made = await conn.fetchval(
        "SELECT max(made_at) FROM ops.backup WHERE kind = 'dump' AND proved_at IS NOT NULL AND fault IS NULL"
    )
    return {"made_at": made, "late": made is None or now - made > PROMISE}


async def slots(conn: Raw) -> list[dict[str, Any]]:
    """Return who fetches the server's log through a slot, and how far each is behind."""
    return [dict(row) for row in await conn.fetch(_SLOTS)]


def _is_proved(one: dict[str, Any]) -> bool:
    return one["proved_at"] is not None and one["fault"] is None


def _rewind(archives: list[dict[str, Any]], until: datetime | None) -> dict[str, Any] | None:
    bases = [one["made_at"] for one in archives if one["kind"] == "base" and _is_proved(one)]
    if not bases or until is None or until <= min(bases):
        return None
    return {"since": min(bases), "until": until}


def _lost(newest: dict[str, Any] | None, rewind: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Return up to when all is kept: by the log where one can go back to its end, else by the newest dump."""
    if rewind and (newest is None or rewind["until"] > newest["made_at"]):
        return {"until": rewind["until"], "by": "log", "late": now - rewind["until"] > LOG_PROMISE}
    until = newest["made_at"] if newest else None
    return {"until": until, "by": "dump", "late": until is None or now - until > PROMISE}
