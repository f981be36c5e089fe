"""History by day: what the firm's and each project's counters said at the end of a day of the tenant's calendar."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, tenant_fk


class KpiSnapshot(Base):
    """The firm's figures of one day, overwritten hourly until the day is over. `figures` holds numbers by name."""

    __tablename__ = "kpi_snapshot"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    taken_at: Mapped[datetime]


class ProjectHealthSnapshot(Base):
    """A running project's health of one day, with the counters it was judged by. Money in minor units."""

    __tablename__ = "project_health_snapshot"
    __table_args__ = (
        CheckConstraint("overall IN ('good', 'warning', 'critical')", name="overall"),
        tenant_fk("project_id", "project", ondelete="CASCADE"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    overall: Mapped[str]
    total: Mapped[int]
    done: Mapped[int]
    canceled: Mapped[int]
    overdue: Mapped[int]
    planned: Mapped[int]
    actual: Mapped[int]
    taken_at: Mapped[datetime]
