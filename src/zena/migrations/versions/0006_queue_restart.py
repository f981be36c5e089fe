"""Workers can be asked to end and be replaced."""

from zena.migrations.fences import run_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0006_queue_restart.sql")
