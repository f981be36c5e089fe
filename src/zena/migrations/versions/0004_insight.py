"""Daily history of the firm's figures and of each project's health."""

from zena.migrations.fences import fence, run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

HEALTH = ["overall", "total", "done", "canceled", "overdue", "planned", "actual", "taken_at"]


def upgrade() -> None:
    run_sql("0004_insight.sql")
    fence("kpi_snapshot", updates=["figures", "taken_at"], deletes=True)
    fence("project_health_snapshot", updates=HEALTH, deletes=True)
