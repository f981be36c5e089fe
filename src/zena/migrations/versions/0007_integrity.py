"""What integrity found, and the rows its repairs changed."""

from zena.migrations.fences import run_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0007_integrity.sql")
