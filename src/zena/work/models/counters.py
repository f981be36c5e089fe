"""Counters kept by the actions in their own transaction, so that a dashboard's cost does not grow with the tasks.

Trashed tasks count nowhere but in `trashed`. Everything here can be recomputed from the tasks (checks.py).
"""

from datetime import date
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, tenant_fk

#: Counter rows change all the time and never their keys: room on the page keeps those updates off the indexes.
HOT = {"postgresql_with": {"fillfactor": 50}}


class ProjectCounter(Base):
    """The last task number given out in a project. Its lock also orders the changes of rank."""

    __tablename__ = "project_counter"
    __table_args__ = (tenant_fk("project_id", "project", ondelete="CASCADE"), HOT)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(server_default="0")


class ProjectStats(Base):
    """One row per project: tasks by status, all and open tasks by priority, and the sums behind weighted progress.

    `weight` is the sum over tasks that are not canceled of the estimate (or 1), `weight_progress` of weight x progress.
    """

    __tablename__ = "project_stats"
    __table_args__ = (tenant_fk("project_id", "project", ondelete="CASCADE"), HOT)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    backlog: Mapped[int] = mapped_column(server_default="0")
    in_progress: Mapped[int] = mapped_column(server_default="0")
    blocked: Mapped[int] = mapped_column(server_default="0")
    done: Mapped[int] = mapped_column(server_default="0")
    canceled: Mapped[int] = mapped_column(server_default="0")
    trashed: Mapped[int] = mapped_column(server_default="0")
    all_low: Mapped[int] = mapped_column(server_default="0")
    all_normal: Mapped[int] = mapped_column(server_default="0")
    all_high: Mapped[int] = mapped_column(server_default="0")
    all_urgent: Mapped[int] = mapped_column(server_default="0")
    open_low: Mapped[int] = mapped_column(server_default="0")
    open_normal: Mapped[int] = mapped_column(server_default="0")
    open_high: Mapped[int] = mapped_column(server_default="0")
    open_urgent: Mapped[int] = mapped_column(server_default="0")
    open_estimate: Mapped[int] = mapped_column(server_default="0")
    weight: Mapped[int] = mapped_column(server_default="0")
    weight_progress: Mapped[int] = mapped_column(server_default="0")


class DueStats(Base):
    """Open tasks of a project by due date: overdue and due soon are sums over few rows."""

    __tablename__ = "project_due_stats"
    __table_args__ = (tenant_fk("project_id", "project", ondelete="CASCADE"), HOT)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_on: Mapped[date] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    open: Mapped[int] = mapped_column(server_default="0")


class DayStats(Base):
    """Tasks of a project created, and done, on a day of the tenant's calendar. A reopened task leaves its day again."""

    __tablename__ = "project_day_stats"
    __table_args__ = (tenant_fk("project_id", "project", ondelete="CASCADE"), HOT)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    created: Mapped[int] = mapped_column(server_default="0")
    done: Mapped[int] = mapped_column(server_default="0")


class AssigneeStats(Base):
    """Open tasks per member."""

    __tablename__ = "assignee_stats"
    __table_args__ = (tenant_fk("member_id", "membership"), HOT)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    open: Mapped[int] = mapped_column(server_default="0")
