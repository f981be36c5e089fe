"""What was done against what is wrong, and what came of it."""

from zena.migrations.fences import run_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0016_remedies.sql")
