"""What was done: the outbox, the audit chain and answers kept for replay. Written by `seal` (kit/events.py)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base


class TenantHead(Base):
    """The last position of a tenant's outbox and audit chain; locked from the seal to the commit, so both are gap-free.

    `versions` holds, per cache family, the position of the last event that touched it.
    """

    __tablename__ = "tenant_head"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    position: Mapped[int] = mapped_column(server_default="0")
    audit_position: Mapped[int] = mapped_column(server_default="0")
    audit_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("'\\x00'"))
    versions: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class EventEntry(Base):
    """One row of the outbox: feeds activity, notifications, webhooks and realtime."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_subject", "tenant_id", "subject_id", "position"),
        Index("ix_event_project", "tenant_id", "project_id", "position"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    type: Mapped[str]
    actor: Mapped[UUID | None]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    project_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    batch_id: Mapped[UUID | None]
    at: Mapped[datetime]


class AuditEntry(Base):
    """One link of a tenant's audit chain: `hash = sha256(previous hash || digest of this row)`."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "tenant_id", "subject_id", "position"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    actor: Mapped[UUID | None]
    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    ip: Mapped[str | None]
    request_id: Mapped[str | None]
    at: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class IdempotencyKey(Base):
    """An answer kept for 24 h, so that a repeated POST is told the same."""

    __tablename__ = "idempotency_key"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    route: Mapped[str]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    response: Mapped[bytes | None] = mapped_column(LargeBinary)
    location: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
