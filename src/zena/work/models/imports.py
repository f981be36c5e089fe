"""Many changes in one go: imports, and bulk changes that can be taken back as one step."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, TenantRow, tenant_fk


class ImportRun(TenantRow, Base):
    """An uploaded file on its way into a project: stored, mapped, tried, applied or given up."""

    __tablename__ = "import_run"
    __table_args__ = (
        CheckConstraint("state IN ('uploaded', 'checked', 'queued', 'running', 'applied', 'failed')", name="state"),
        tenant_fk("project_id", "project", ondelete="CASCADE"),
        tenant_fk("created_by", "membership"),
        Index("ix_import_run_project", "tenant_id", "project_id", "id"),
    )

    project_id: Mapped[UUID]
    created_by: Mapped[UUID | None]
    file_name: Mapped[str]
    file_key: Mapped[str]
    media_type: Mapped[str] = mapped_column(server_default="text/csv")
    sha256: Mapped[str]
    size: Mapped[int]
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default="uploaded")
    rows_total: Mapped[int] = mapped_column(server_default="0")
    rows_done: Mapped[int] = mapped_column(server_default="0")
    report: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    applied_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")


class BulkChange(TenantRow, Base):
    """A bulk change; its id is the batch of the events. `before` holds, per task, what undoes it as one step."""

    __tablename__ = "bulk_change"
    __table_args__ = (tenant_fk("created_by", "membership"), tenant_fk("undone_by", "membership"))

    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    before: Mapped[list[Any]] = mapped_column(JSONB)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None]
