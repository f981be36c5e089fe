"""Finding out which of the things that were not found another firm has: attempts on it, recorded where they came from.

Done by a worker as zena_ops, a minute later at most. Only the firm of whoever asked is told, and nothing of the other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.clock import Clock
from zena.kit.db import Database, Raw, raw
from zena.kit.events import record
from zena.kit.logs import get_logger
from zena.kit.scope import Scope
from zena.kit.state import State
from zena.kit.uow import unit_of_work
from zena.operate.crossings.noting import AGAIN
from zena.operate.crossings.owners import owners_of_ids, owners_of_keys
from zena.operate.events import CrossTenantRefused
from zena.operate.sessions import operations

security = get_logger("zena.security")

#: From so many different things within ten minutes on, somebody searches: one alone may be an old link.
GRAVE: Final = 5
_BATCH: Final = 500
_BATCHES: Final = 40

#: What was asked in one firm, that of the oldest question first; two workers never take the same.
_TAKE: Final = """
DELETE FROM ops.sought WHERE id IN (
    SELECT s.id FROM ops.sought s WHERE s.tenant = (SELECT f.tenant FROM ops.sought f ORDER BY f.at, f.id LIMIT 1)
     ORDER BY s.at, s.id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, at, tenant, person, way, kind, reference, route, request_id, client
"""
_THERE: Final = "SELECT status <> 'inactive' AND plan <> 'probe' FROM tenant WHERE id = $1"
_MEMBERS: Final = (
    "SELECT user_id, id, role FROM membership WHERE tenant_id = $1 AND user_id = ANY ($2) AND ended_at IS NULL"
)
_THEIRS: Final = "SELECT user_id, tenant_id FROM membership WHERE user_id = ANY ($1) AND ended_at IS NULL"
_BEFORE: Final = """
SELECT person, lower(reference) AS reference, at FROM ops.crossing
 WHERE tenant = $1 AND person = ANY ($2) AND at > $3 ORDER BY at
"""
_KEEP: Final = """
INSERT INTO ops.crossing (id, at, tenant, person, way, kind, reference, route, request_id, client, owner, severity)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: the row of ops.sought, whose it is, and how grave."""

    asked: Mapping[str, Any]
    owner: UUID
    severity: str

    def event(self, subject: UUID) -> CrossTenantRefused:
        asked = self.asked
        return CrossTenantRefused(
            subject=subject,
            user=asked["person"],
            kind=asked["kind"],
            reference=asked["reference"],
            severity=self.severity,
        )

    @property
    def told(self) -> dict[str, str]:
        """What the firm's record says of it."""
        asked = self.asked
        return {
            "asked_for": f"{asked['kind']} {asked['reference']}",
            "asked_at": asked["at"].isoformat(),
            "route": asked["route"],
            "severity": self.severity,
        }


async def check(state: State) -> int:
    """Look at everything that waits, and return how many attempts there were. Needs the URL of zena_ops."""
    found = 0
    async with operations(state) as db:
        for _ in range(_BATCHES):
            attempts = await _check_some(db, state.clock)
            if attempts is None:
                break
            found += len(attempts)
    return found


async def _check_some(db: Database, clock: Clock) -> list[Attempt] | None:
    """Look at what waits of one firm, in one transaction; None when nothing waits."""
    async with unit_of_work(db) as session:
        conn = await raw(session)
        asked = await conn.fetch(_TAKE, _BATCH)
        if not asked:
            return None
        attempts = []
        if await conn.fetchval(_THERE, asked[0]["tenant"]):
            attempts = await _attempts(conn, sorted(asked, key=lambda row: (row["at"], row["id"])))
            await _record(session, conn, attempts, clock)
    for attempt in attempts:
        _say(attempt)
    return attempts


async def _attempts(conn: Raw, asked: Sequence[Any]) -> list[Attempt]:
    """Return those that another firm has, each once in ten minutes, the oldest first."""
    owners = await _owners(conn, asked)
    people = list({row["person"] for row in asked})
    since = asked[0]["at"] - AGAIN
    before: defaultdict[UUID, list[tuple[str, datetime]]] = defaultdict(list)
    for row in await conn.fetch(_BEFORE, asked[0]["tenant"], people, since):
        before[row["person"]].append((row["reference"], row["at"]))
    found = []
    for row in asked:
        owner = owners.get((row["person"], row["reference"]))
        reference = row["reference"].lower()
        lately = {name for name, at in before[row["person"]] if row["at"] - AGAIN < at}
        if owner is None or reference in lately:
            continue
        before[row["person"]].append((reference, row["at"]))
        found.append(Attempt(row, owner, "high" if len(lately) + 1 >= GRAVE else "low"))
    return found


async def _owners(conn: Raw, asked: Sequence[Any]) -> dict[tuple[UUID, str], UUID]:
    """Return who has what was asked for, where neither the firm nor another firm of the same person has it.

    Keys are not secret and two firms may have the same: one counts only where exactly one other firm has it.
    """
    tenant = asked[0]["tenant"]
    names = {row["reference"] for row in asked}
    ids = {name: known for name in names if (known := _id(name)) is not None}
    by_id = await owners_of_ids(conn, ids.values())
    by_key = await owners_of_keys(conn, {name.upper() for name in names - ids.keys()})
    theirs: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for row in await conn.fetch(_THEIRS, list({row["person"] for row in asked})):
        theirs[row["user_id"]].add(row["tenant_id"])
    found = {}
    for row in asked:
        name, own = row["reference"], {tenant} | theirs[row["person"]]
        if name in ids:
            others = by_id.get(ids[name], set())
        else:
            firms = by_key.get(name.upper(), {})
            others = {firm for firm, whole in firms.items() if whole or firm in own}
            others = others if len(others) == 1 else set()
        if others and not others & own:
            found[row["person"], name] = min(others)
    return found


async def _record(session: AsyncSession, conn: Raw, attempts: Sequence[Attempt], clock: Clock) -> None:
    """Keep the attempts, and write them into the record of the firm from which they were made."""
    if not attempts:
        return
    tenant = attempts[0].asked["tenant"]
    people = [attempt.asked["person"] for attempt in attempts]
    members = {row["user_id"]: row for row in await conn.fetch(_MEMBERS, tenant, people)}
    for attempt in attempts:
        await conn.execute(_KEEP, *attempt.asked.values(), attempt.owner, attempt.severity)
        member = members.get(attempt.asked["person"])
        scope = _scope(attempt.asked, member, clock.now())
        record(session, scope, attempt.event(scope.member or tenant), after=attempt.told)


def _scope(asked: Mapping[str, Any], member: Any, at: datetime) -> Scope:
    """Return whose deed it was, as of now: events are told in the order in which they are recorded."""
    return Scope(
        tenant=asked["tenant"],
        member=member and member["id"],
        user=asked["person"],
        role=member["role"] if member else "",
        permissions=frozenset(),
        timezone="UTC",
        request_id=asked["request_id"],
        ip=asked["client"] or None,
        at=at,
    )


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _say(attempt: Attempt) -> None:
    asked = attempt.asked
    security.warning(
        "cross-tenant access attempt",
        severity=attempt.severity,
        request_id=asked["request_id"],
        tenant=str(asked["tenant"]),
        user=str(asked["person"]),
        way=str(asked["way"]),
        route=asked["route"],
        kind=asked["kind"],
        id=asked["reference"],
        owner=str(attempt.owner),
        client=asked["client"],
        asked_at=asked["at"].isoformat(),
    )
