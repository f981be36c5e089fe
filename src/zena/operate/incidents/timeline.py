"""What happened in an incident, in order. Each entry's hash covers the one before it: none can be changed unseen."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from zena.kit.db import Raw

_LAST: Final = "SELECT seq, hash FROM ops.incident_event WHERE incident_id = $1 ORDER BY seq DESC LIMIT 1"
_ADD: Final = """
INSERT INTO ops.incident_event (incident_id, seq, at, kind, actor, body, hash)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7)
"""
_READ: Final = "SELECT seq, at, kind, actor, body, hash FROM ops.incident_event WHERE incident_id = $1 ORDER BY seq"
_LOCK: Final = "SELECT id FROM ops.incident WHERE id = $1 FOR UPDATE"


async def add(conn: Raw, incident: int, at: datetime, kind: str, actor: str, body: Mapping[str, Any]) -> None:
    """Add an entry, as zena_ops in a transaction. `body` holds figures and our own words, never what a firm wrote."""
    await conn.execute(_LOCK, incident)
    last = await conn.fetchrow(_LAST, incident)
    seq, before = (last["seq"] + 1, bytes(last["hash"])) if last else (1, b"")
    plain = json.loads(json.dumps(body, default=str))
    await conn.execute(
        _ADD, incident, seq, at, kind, actor, json.dumps(plain), _hash(before, seq, at, kind, actor, plain)
    )


async def entries(conn: Raw, incident: int) -> list[dict[str, Any]]:
    """Return the entries in order; `broken` is true of the first that does not follow from those before."""
    before, found = b"", []
    for number, row in enumerate(await conn.fetch(_READ, incident), 1):
        body = json.loads(row["body"]) if isinstance(row["body"], str) else row["body"]
        made = _hash(before, row["seq"], row["at"], row["kind"], row["actor"], body)
        broken = made != bytes(row["hash"]) or row["seq"] != number
        found.append({name: row[name] for name in ("seq", "at", "kind", "actor")} | {"body": body, "broken": broken})
        before = bytes(row["hash"])
    return found


def diagnosis(told: Sequence[Mapping[str, Any]]) -> Any:
    """Return the diagnosis that holds, of the entries of an incident: the last one. None where there is none yet."""
    return next((one["body"] for one in reversed(told) if one["kind"] == "diagnosed"), None)


def words(entry: Mapping[str, Any]) -> str:
    """Return what an entry says in a line; nothing where its kind says it all."""
    body = entry["body"]
    if entry["kind"] == "diagnosed":
        return str(body["causes"][0]["cause"]) if body["causes"] else "no cause found"
    if entry["kind"] == "folded":
        return f"into incident {body['into']}"
    return str(body.get("text") or body.get("reason") or body.get("says") or "")


def _hash(before: bytes, seq: int, at: datetime, kind: str, actor: str, body: Any) -> bytes:
    """SHA-256 over the hash before and the entry as JSON with sorted keys, times in seconds since the epoch."""
    text = json.dumps([seq, round(at.timestamp(), 6), kind, actor, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + text.encode()).digest()
