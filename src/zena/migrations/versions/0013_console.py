"""What the console reads: backups as they lie in their directory, and sums that make a look back cheap."""

from zena.migrations.fences import run_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0013_console.sql")
