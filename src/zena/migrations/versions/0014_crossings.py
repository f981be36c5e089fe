"""Attempts on other firms, and the seats of live connections over all processes."""

from zena.migrations.fences import run_sql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0014_crossings.sql")
