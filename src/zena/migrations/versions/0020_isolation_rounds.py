"""What each round of the leak prober found."""

from zena.migrations.fences import run_sql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0020_isolation_rounds.sql")
