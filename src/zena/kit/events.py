"""Events and audit entries: one row each per mutation, written with the mutation and numbered at its commit.

`record` keeps them with the session; `seal` writes them as the last statement before commit, because the tenant's
head row is locked from then on and orders all commits of that tenant.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.scope import Scope

_PENDING = "pending_records"
_WAYS_IN = "access."
_SEAL = text("SELECT seal(:tenant, CAST(:events AS jsonb), CAST(:audits AS jsonb), :families)")


audit = get_logger("zena.audit")
security = get_logger("zena.security")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that happened. Subclasses declare their type and the cache families they touch; fields are the payload.

    `subject` is the object's id; `project` routes the event to those who may see that project.
    """

    type: ClassVar[str] = ""
    subject_type: ClassVar[str] = ""
    families: ClassVar[frozenset[str]] = frozenset()

    subject: UUID
    project: UUID | None = None


E = TypeVar("E", bound=type[Event])

#: Every declared event by its type; a test compares it with the documentation.
EVENTS: dict[str, type[Event]] = {}


def event(name: str, *, families: frozenset[str] | set[str] = frozenset()) -> Any:
    """Declare an event class under `subject.verb`; a name is declared once."""

    def declare(cls: E) -> E:
        if name in EVENTS:
            raise ValueError(f"event {name} is declared twice")
        cls.type, cls.subject_type, cls.families = name, name.partition(".")[0], frozenset(families)
        EVENTS[name] = cls
        return cls

    return declare


@dataclass(slots=True)
class Records:
    """What a transaction has recorded and not yet written."""

    tenant: UUID
    events: list[dict[str, Any]]
    audits: list[dict[str, Any]]
    families: set[str]


def record(
    session: AsyncSession,
    scope: Scope,
    happened: Event,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    batch: UUID | None = None,
) -> None:
    """Keep an event and its audit entry for the commit of this transaction.

    `before` and `after` hold the changed fields only, and no secrets. `batch` joins the events of one bulk change.
    """
    pending = _pending(session, scope.tenant)
    payload = msgspec.to_builtins(happened)
    subject, project = payload.pop("subject"), payload.pop("project", None)
    pending.events.append(
        {
            "id": str(new_id()),
            "type": happened.type,
            "actor": scope.member and str(scope.member),
            "subject_type": happened.subject_type,
            "subject_id": subject,
            "project_id": project,
            "payload": payload | _changes(before, after),
            "batch_id": batch and str(batch),
            "at": scope.at.isoformat(),
        }
    )
    pending.audits.append(_audit(scope, happened, subject, before, after))
    pending.families |= happened.families


async def seal(session: AsyncSession) -> Records | None:
    """Flush, then write what was recorded and take its positions; return it. The last statement before commit."""
    await session.flush()
    pending: Records | None = session.info.pop(_PENDING, None)
    if pending is None:
        return None
    await session.execute(
        _SEAL,
        {
            "tenant": pending.tenant,
            "events": msgspec.json.encode(pending.events).decode(),
            "audits": msgspec.json.encode(pending.audits).decode(),
            "families": sorted(pending.families),
        },
    )
    return pending


def log_sealed(sealed: Records | None) -> None:
    """Say in the log what a commit has put into the audit chain: one line for each action, with the first subject."""
    if sealed is None:
        return
    actions: dict[str, list[dict[str, Any]]] = {}
    for entry in sealed.audits:
        actions.setdefault(entry["action"], []).append(entry)
    for action, entries in actions.items():
        first = entries[0]
        facts = {"subject": first["subject_id"], "actor": first["actor"], "entry": first["id"], "ip": first["ip"]}
        request = {"request_id": first["request_id"]} if first["request_id"] else {}
        for logger in (audit, security) if action.startswith(_WAYS_IN) else (audit,):
            logger.info(action, tenant=str(sealed.tenant), count=len(entries), **facts, **request)


def audit_digest(tenant: str, entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of an entry's canonical form; the chain hashes these, so changed rows are found.

    The address the request came from stays outside, so that a person's data can be erased without breaking the chain.
    """
    fields = [entry[name] for name in ("id", "actor", "action", "subject_type", "subject_id", "before", "after", "at")]
    canonical = msgspec.json.encode([tenant, *fields], order="sorted")
    return hashlib.sha256(canonical).hexdigest()


def _pending(session: AsyncSession, tenant: UUID) -> Records:
    pending: Records | None = session.info.get(_PENDING)
    if pending is None:
        pending = session.info[_PENDING] = Records(tenant, [], [], set())
    elif pending.tenant != tenant:
        raise RuntimeError("one transaction records for one tenant")
    return pending


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    changed = {}
    if before is not None:
        changed["before"] = msgspec.to_builtins(dict(before))
    if after is not None:
        changed["after"] = msgspec.to_builtins(dict(after))
    return changed


def _audit(
    scope: Scope,
    happened: Event,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> dict[str, Any]:
    entry = {
        "id": str(new_id()),
        "actor": scope.member and str(scope.member),
        "action": happened.type,
        "subject_type": happened.subject_type,
        "subject_id": subject,
        "before": msgspec.to_builtins(dict(before)) if before is not None else None,
        "after": msgspec.to_builtins(dict(after)) if after is not None else None,
        "at": scope.at.isoformat(),
    }
    return entry | {"digest": audit_digest(str(scope.tenant), entry), "ip": scope.ip, "request_id": scope.request_id}
