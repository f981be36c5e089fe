"""Visits of support: staff of the installation who look at a firm."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, TenantRow


class SupportVisit(TenantRow, Base):
    """Leave for one operator to look at one firm, until `ends_at` at the latest. It is no membership.

    The operator is named and not referred to: the row goes along when the firm is taken elsewhere. `ended_how` is left,
    firm (its owner or an admin ended it), operations (a command), limit, or access (session, role or firm is gone).
    """

    __tablename__ = "support_visit"
    __table_args__ = (
        CheckConstraint("length(reason) BETWEEN 10 AND 500", name="reason"),
        CheckConstraint("ends_at > began_at AND ends_at <= began_at + interval '4 hours'", name="time"),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended"),
        CheckConstraint("ended_how IN ('left', 'firm', 'operations', 'limit', 'access')", name="ended_how"),
        Index("ix_support_visit_open", "tenant_id", "ends_at", postgresql_where=text("ended_at IS NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    operator_id: Mapped[UUID]
    operator_name: Mapped[str]
    reason: Mapped[str]
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None]
