"""Firms and who belongs to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, TenantRow, tenant_fk
from zena.kit.ids import new_id

ROLES = "role IN ('owner', 'admin', 'pm', 'member', 'viewer', 'client')"


class Tenant(Base):
    """A firm. Row-level security shows a transaction only its own."""

    __tablename__ = "tenant"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'trial', 'suspended', 'inactive')", name="status"),
        CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'", name="slug"),
        UniqueConstraint("slug"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    slug: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    plan: Mapped[str] = mapped_column(server_default="standard")
    trial_ends_at: Mapped[datetime | None]
    timezone: Mapped[str] = mapped_column(server_default="Asia/Ho_Chi_Minh")
    locale: Mapped[str] = mapped_column(server_default="en")
    currency: Mapped[str] = mapped_column(server_default="VND")
    features: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    quotas: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default="1")


class Membership(TenantRow, Base):
    """A person in a firm. Ended, never deleted: actors and assignees point here."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint(ROLES, name="role"),
        UniqueConstraint("tenant_id", "user_id"),
        Index("ix_membership_user", "user_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    role: Mapped[str]
    is_default: Mapped[bool] = mapped_column(server_default="false")
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")


class Invitation(TenantRow, Base):
    """An offer to join, bound to one address. Only the hash of its token is kept."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint(ROLES, name="role"),
        CheckConstraint("state IN ('pending', 'accepted', 'declined', 'revoked', 'expired')", name="state"),
        tenant_fk("invited_by", "membership"),
        Index("uq_invitation_pending", "tenant_id", "email", unique=True, postgresql_where=text("state = 'pending'")),
        Index("ix_invitation_token_hash", "token_hash"),
    )

    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(server_default="pending")
    invited_by: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    decided_at: Mapped[datetime | None]
