"""Held jobs: what failed, which failures are the same, and the ways out: again, or away with a copy kept."""

import hashlib
import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
from pgqueuer.types import JobId

import zena
from zena.kit.db import Raw
from zena.kit.logs import redact
from zena.kit.queue.enqueue import job_queries
from zena.kit.queue.payload import unpack_arguments
from zena.kit.queue.schema import WAKE

#: How an attempt that will be repeated is logged: the error itself stands in its message.
_AGAIN: Final = "RetryRequested"
_TEXT: Final = 300

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_QUOTED: Final = re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\"|`[^`\n]*`")
_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|(?<![A-Za-z])\d+(?:[.,:]\d+)*")
_ROOMS: Final = "|".join(sorted(found.parent.name for found in Path(zena.__file__).parent.glob("*/__init__.py")))
#: A line of a traceback in one of our modules, on whichever machine it was written.
_FRAME: Final = re.compile(rf'File "[^"\n]*/zena/((?:{_ROOMS})/(?:\w+/)*\w+\.py)", line \d+, in (\S+)')
_MACHINERY: Final = "kit/queue/"

_FAILED: Final = """
SELECT job.id, job.entrypoint, job.headers ->> 'tenant' AS tenant, job.created, job.updated, job.payload,
       last.traceback ->> 'exception_type' AS error, last.traceback ->> 'exception_message' AS message,
       right(last.traceback ->> 'traceback', 8000) AS traceback,
       (SELECT count(*) FROM queue.pgqueuer_log AS picked
         WHERE picked.job_id = job.id AND picked.status = 'picked') AS starts
FROM queue.pgqueuer AS job
LEFT JOIN LATERAL (
  SELECT traceback FROM queue.pgqueuer_log AS log
  WHERE log.job_id = job.id AND log.status = 'failed' ORDER BY log.created DESC, log.id DESC LIMIT 1) AS last ON true
WHERE job.status = 'failed' AND ($1::text IS NULL OR job.entrypoint = $1)
  AND ($2::bigint[] IS NULL OR job.id = ANY($2)) ORDER BY job.updated DESC, job.id DESC
"""

_HOLD: Final = """
WITH held AS (
  UPDATE queue.pgqueuer SET status = 'failed', updated = now()
  WHERE status = 'queued' AND ($1::text IS NULL OR entrypoint = $1) AND ($2::bigint[] IS NULL OR id = ANY($2))
  RETURNING id, entrypoint, priority)
INSERT INTO queue.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'failed', entrypoint, priority, $3::text::jsonb FROM held RETURNING job_id
"""

_TRIED: Final = """
SELECT log.traceback ->> 'exception_type' AS error, log.traceback ->> 'exception_message' AS message,
       log.created, job.headers ->> 'tenant' AS tenant
  FROM queue.pgqueuer_log AS log LEFT JOIN queue.pgqueuer AS job ON job.id = log.job_id
 WHERE log.entrypoint = $1 AND log.created >= $2 AND log.traceback IS NOT NULL ORDER BY log.id DESC LIMIT 1000
"""
_LAST_QUEUED: Final = "SELECT max(id) FROM queue.pgqueuer_log WHERE job_id = $1 AND status = 'queued'"

_TAKE: Final = """
SELECT job.id, job.entrypoint AS kind, job.headers ->> 'tenant' AS tenant, job.created, job.updated AS held_at,
       job.attempts, job.dedupe_key, job.payload
FROM queue.pgqueuer AS job WHERE job.id = ANY($1::bigint[]) AND job.status = 'failed' ORDER BY job.id FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """A held job. `starts` counts its runs so far; `where` is the innermost line of ours; texts carry no secrets."""

    id: int
    kind: str
    tenant: str | None
    created: datetime
    held_at: datetime
    starts: int
    error: str
    message: str
    where: str | None
    fingerprint: str
    arguments: dict[str, Any]


async def failures(
    connection: Raw,
    *,
    kind: str | None = None,
    ids: Collection[int] | None = None,
    fingerprint: str | None = None,
    limit: int | None = None,
) -> list[Failure]:
    """Return held jobs, last failure first: all, of one kind, of one fingerprint, or those named."""
    found: list[Failure] = []
    async with connection.transaction(readonly=True):
        # A cursor: the traces of many thousand jobs need not be in memory at once.
        async for row in connection.cursor(_FAILED, kind, None if ids is None else list(ids), prefetch=200):
            failure = _failure(row)
            if fingerprint in {None, failure.fingerprint}:
                found.append(failure)
            if len(found) == limit:
                break
    return found


async def hold(connection: Raw, reason: str, *, kind: str | None = None, ids: Collection[int] | None = None) -> int:
    """Hold jobs that wait, until somebody retries or discards them; those that run are left alone. Return how many."""
    why = {"exception_type": "HeldByOperator", "exception_message": reason, "traceback": ""}
    wanted = None if ids is None else list(ids)
    return len(await connection.fetch(_HOLD, kind, wanted, json.dumps(why)))


async def requeue(connection: Raw, job_id: int) -> int | None:
    """Queue one held job again with all its attempts; return the mark after which its new history begins.

    None if it is not held any more, or if another of its dedupe key waits already: that one does its work.
    """
    try:
        async with connection.transaction():
            before = await connection.fetchval(_LAST_QUEUED, job_id)
            await job_queries(connection).requeue_jobs([JobId(job_id)])
            mark: int | None = await connection.fetchval(_LAST_QUEUED, job_id)
            await connection.execute(WAKE)
    except asyncpg.UniqueViolationError:
        return None
    return mark if mark != before else None


def copy_in(data_dir: Path, at: datetime) -> Path:
    """Return where the copy of jobs discarded at an instant goes, unless somebody names another place."""
    return data_dir / "exports" / f"queue-discarded-{at:%Y%m%d-%H%M%S-%f}.jsonl"


async def discard(connection: Raw, ids: Collection[int], copy: Path) -> int:
    """Delete held jobs once a copy of each is on disk, one JSON object a line; return how many.

    The copy is a new file (FileExistsError otherwise) that only its owner may read: it carries arguments as they are.
    """
    async with connection.transaction():
        rows = await connection.fetch(_TAKE, list(ids))
        _write(copy, [dict(row) | {"payload": _as_text(row["payload"])} for row in rows])
        gone = [row["id"] for row in rows]
        await connection.execute("DELETE FROM queue.pgqueuer WHERE id = ANY($1::bigint[])", gone)
        await connection.execute(
            "INSERT INTO queue.pgqueuer_log (job_id, status, entrypoint, priority)"
            " SELECT id, 'deleted', kind, 0 FROM unnest($1::bigint[], $2::text[]) AS gone (id, kind)",
            gone,
            [row["kind"] for row in rows],
        )
    return len(gone)


def fingerprint_of(error: str, message: str, traceback: str) -> tuple[str, str | None]:
    """Return the name of a failure, 12 hex digits, and the innermost line of ours.

    Two failures have one name if kind of error, line's function and message agree, leaving out numbers, UUIDs and
    whatever is quoted.
    """
    if error == _AGAIN:
        error, _, message = message.partition(": ")
    lines = [f"{file}:{function}" for file, function in _FRAME.findall(traceback) if not file.startswith(_MACHINERY)]
    where = lines[-1] if lines else None
    said = _NUMBER.sub("N", _QUOTED.sub("Q", _UUID.sub("U", message.partition("\n")[0])))[:_TEXT]
    return hashlib.sha256(f"{error}|{where}|{said}".encode()).hexdigest()[:12], where


@dataclass(frozen=True, slots=True)
class Attempted:
    """Attempts that failed in the same way. `error` is the exception's class."""

    error: str
    number: int
    firms: int
    last: datetime


async def attempts(conn: Raw, kind: str, since: datetime, *, limit: int) -> list[Attempted]:
    """Return how attempts of a kind failed since an instant, the most frequent first; the last 1,000 are looked at."""
    found: dict[str, list[Any]] = {}
    for row in await conn.fetch(_TRIED, kind, since):
        error = (row["message"] or "").partition(":")[0] if row["error"] == _AGAIN else row["error"]
        found.setdefault(error or "an unknown error", []).append(row)
    counted = [
        Attempted(error, len(rows), len({row["tenant"] for row in rows}), rows[0]["created"])
        for error, rows in found.items()
    ]
    return sorted(counted, key=lambda one: (-one.number, one.error))[:limit]


def readable_arguments(payload: bytes | None) -> dict[str, Any]:
    """Return a job's arguments without secrets; what cannot be read is shown as bytes, and said to be unreadable."""
    try:
        return dict(redact(None, "", dict(unpack_arguments(payload))))
    except (ValueError, msgspec.DecodeError):
        return {"unreadable": (payload or b"")[:200].hex()}


def _failure(row: Any) -> Failure:
    error, message = row["error"] or "unknown", row["message"] or ""
    fingerprint, where = fingerprint_of(error, message, row["traceback"] or "")
    return Failure(
        id=row["id"],
        kind=row["entrypoint"],
        tenant=row["tenant"],
        created=row["created"],
        held_at=row["updated"],
        starts=row["starts"],
        error=error,
        message=str(redact(None, "", {"message": message})["message"]),
        where=where,
        fingerprint=fingerprint,
        arguments=readable_arguments(row["payload"]),
    )


def _as_text(payload: bytes | None) -> str:
    return (payload or b"").decode("utf-8", "backslashreplace")


def _write(copy: Path, rows: list[dict[str, Any]]) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
        stream.flush()
        os.fsync(stream.fileno())
