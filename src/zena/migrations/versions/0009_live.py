"""How a command asks the processes what one person's live connections hear."""

from zena.migrations.fences import run_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0009_live.sql")
