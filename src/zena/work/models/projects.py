"""Projects, who works in them, and the firm's labels."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, TenantRow, tenant_fk

PRIORITIES = "priority IN ('low', 'normal', 'high', 'urgent')"


class Project(TenantRow, Base):
    """A building site or a job. `archived_from` is the status it had before, to reopen it there."""

    __tablename__ = "project"
    __table_args__ = (
        CheckConstraint(
            "status IN ('planning', 'active', 'on_hold', 'completed', 'cancelled', 'archived')", name="status"
        ),
        CheckConstraint(PRIORITIES, name="priority"),
        CheckConstraint("risk_level IN ('low', 'medium', 'high')", name="risk_level"),
        CheckConstraint("key ~ '^[A-Z][A-Z0-9]{1,9}$'", name="key"),
        CheckConstraint("start_on IS NULL OR end_on IS NULL OR start_on <= end_on", name="dates"),
        CheckConstraint("(status = 'archived') = (archived_at IS NOT NULL)", name="archived"),
        UniqueConstraint("tenant_id", "key"),
        tenant_fk("owner_id", "membership"),
        tenant_fk("created_by", "membership"),
        tenant_fk("archived_by", "membership"),
        tenant_fk("deleted_by", "membership"),
        Index("ix_project_listed", "tenant_id", "position", "id", postgresql_where=text("deleted_at IS NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    key: Mapped[str]
    name: Mapped[str]
    sort_key: Mapped[str] = mapped_column(TEXT(collation="C"), server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    owner_id: Mapped[UUID | None]
    start_on: Mapped[date | None]
    end_on: Mapped[date | None]
    status: Mapped[str] = mapped_column(server_default="planning")
    priority: Mapped[str] = mapped_column(server_default="normal")
    risk_level: Mapped[str] = mapped_column(server_default="low")
    budget_planned: Mapped[int | None]
    budget_actual: Mapped[int | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    position: Mapped[str] = mapped_column(TEXT(collation="C"))
    completed_at: Mapped[datetime | None]
    archived_from: Mapped[str | None]
    archived_at: Mapped[datetime | None]
    archived_by: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")


class ProjectMember(Base):
    """A member's part in one project; narrows what the role in the firm would allow."""

    __tablename__ = "project_member"
    __table_args__ = (
        CheckConstraint("role IN ('manager', 'contributor', 'viewer')", name="role"),
        tenant_fk("project_id", "project", ondelete="CASCADE"),
        tenant_fk("member_id", "membership"),
        Index("ix_project_member_member", "tenant_id", "member_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Label(TenantRow, Base):
    """A word to sort by, once per firm (`name_key` is case-folded). `hue` is 0..11, a colour of the palette."""

    __tablename__ = "label"
    __table_args__ = (CheckConstraint("hue BETWEEN 0 AND 11", name="hue"), UniqueConstraint("tenant_id", "name_key"))

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str]
    hue: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")
