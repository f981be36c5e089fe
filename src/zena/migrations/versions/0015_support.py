"""Visits of the installation's support to a firm."""

from zena.migrations.fences import fence, run_sql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0015_support.sql")
    fence("support_visit", updates=["ended_at", "ended_how"])
