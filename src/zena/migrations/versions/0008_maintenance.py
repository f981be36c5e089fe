"""Whether the installation is in maintenance, and what was seen at the last start."""

from zena.migrations.fences import run_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0008_maintenance.sql")
