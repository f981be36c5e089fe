"""Tasks and what hangs on them. Text and CHECK instead of enums: enum comparison defeats indexes under RLS."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from zena.kit.db import Base, TenantRow, tenant_fk
from zena.work.models.projects import PRIORITIES

LIVE = text("deleted_at IS NULL")
OPEN_WITH_DUE = text("deleted_at IS NULL AND due_on IS NOT NULL AND status IN ('backlog', 'in_progress', 'blocked')")
CLOSED = text("closed_at IS NOT NULL AND deleted_at IS NULL")
NO_IDS = text("'{}'")


class Task(TenantRow, Base):
    """One piece of work. `rank` orders the tasks of a project; moving a task changes its row alone.

    `progress` is what counts: the task's own value, or the mean of its sub-tasks. `created_day` and `closed_day` are
    the tenant's local days at that time. `assignee_ids` and `label_ids` repeat the link tables for the reads that must
    be fast; the link tables hold the truth.
    """

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint("status IN ('backlog', 'in_progress', 'blocked', 'done', 'canceled')", name="status"),
        CheckConstraint(PRIORITIES, name="priority"),
        CheckConstraint("progress BETWEEN 0 AND 100 AND own_progress BETWEEN 0 AND 100", name="progress"),
        CheckConstraint("estimate_min >= 0 AND spent_min >= 0", name="minutes"),
        CheckConstraint("start_on IS NULL OR due_on IS NULL OR start_on <= due_on", name="dates"),
        CheckConstraint("parent_id IS NULL OR parent_id <> id", name="parent"),
        CheckConstraint("(status IN ('done', 'canceled')) = (closed_at IS NOT NULL)", name="closed"),
        UniqueConstraint("tenant_id", "project_id", "number"),
        # Deferrable: spreading crowded ranks renumbers several rows in one statement.
        UniqueConstraint("tenant_id", "project_id", "rank", deferrable=True, initially="IMMEDIATE"),
        tenant_fk("project_id", "project"),
        tenant_fk("parent_id", "task"),
        tenant_fk("created_by", "membership"),
        tenant_fk("closed_by", "membership"),
        tenant_fk("deleted_by", "membership"),
        Index("ix_task_lane", "tenant_id", "project_id", "status", "rank", "id", postgresql_where=LIVE),
        Index("ix_task_due", "tenant_id", "project_id", "due_on", "id", postgresql_where=LIVE),
        Index("ix_task_overdue", "tenant_id", "due_on", "id", postgresql_where=OPEN_WITH_DUE),
        Index("ix_task_parent", "tenant_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_task_closed", "tenant_id", "closed_at", postgresql_where=CLOSED),
        Index("ix_task_updated", "tenant_id", "project_id", "updated_at", "id", postgresql_where=LIVE),
        Index("ix_task_trash", "tenant_id", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    project_id: Mapped[UUID]
    number: Mapped[int]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="backlog")
    priority: Mapped[str] = mapped_column(server_default="normal")
    parent_id: Mapped[UUID | None]
    depth: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    rank: Mapped[str] = mapped_column(TEXT(collation="C"))
    assignee_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=NO_IDS)
    label_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=NO_IDS)
    start_on: Mapped[date | None]
    due_on: Mapped[date | None]
    estimate_min: Mapped[int | None]
    spent_min: Mapped[int] = mapped_column(server_default="0")
    own_progress: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    progress: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    internal: Mapped[bool] = mapped_column(server_default="false")
    block_reason: Mapped[str | None]
    cancel_reason: Mapped[str | None]
    held_by_project: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_day: Mapped[date | None]
    closed_by: Mapped[UUID | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_day: Mapped[date] = mapped_column(server_default=text("CURRENT_DATE"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[UUID | None]
    deleted_with: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")


class TaskAssignee(Base):
    """Who does a task: a membership, which may end but stays."""

    __tablename__ = "task_assignee"
    __table_args__ = (
        tenant_fk("task_id", "task", ondelete="CASCADE"),
        tenant_fk("member_id", "membership"),
        Index("ix_task_assignee_member", "tenant_id", "member_id", "task_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    assigned_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TaskLabel(Base):
    __tablename__ = "task_label"
    __table_args__ = (
        tenant_fk("task_id", "task", ondelete="CASCADE"),
        tenant_fk("label_id", "label"),
        Index("ix_task_label_label", "tenant_id", "label_id", "task_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    label_id: Mapped[UUID] = mapped_column(primary_key=True)


class TaskDependency(TenantRow, Base):
    """An ordering of two tasks: FS, SS, FF or SF with a lag in working minutes (may be negative: a lead)."""

    __tablename__ = "task_dependency"
    __table_args__ = (
        CheckConstraint("type IN ('FS', 'SS', 'FF', 'SF')", name="type"),
        CheckConstraint("predecessor_id <> successor_id", name="self"),
        UniqueConstraint("tenant_id", "successor_id", "predecessor_id"),
        tenant_fk("predecessor_id", "task", ondelete="CASCADE"),
        tenant_fk("successor_id", "task", ondelete="CASCADE"),
        tenant_fk("created_by", "membership"),
        Index("ix_task_dependency_predecessor", "tenant_id", "predecessor_id"),
    )

    predecessor_id: Mapped[UUID]
    successor_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(server_default="FS")
    lag_min: Mapped[int] = mapped_column(server_default="0")
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Comment(TenantRow, Base):
    """What somebody said about a task, in Markdown. `internal` hides it from clients."""

    __tablename__ = "comment"
    __table_args__ = (
        tenant_fk("task_id", "task", ondelete="CASCADE"),
        tenant_fk("author_id", "membership"),
        tenant_fk("deleted_by", "membership"),
        Index("ix_comment_task", "tenant_id", "task_id", "created_at", "id"),
    )

    task_id: Mapped[UUID]
    author_id: Mapped[UUID | None]
    body: Mapped[str]
    internal: Mapped[bool] = mapped_column(server_default="false")
    pinned: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")
