"""What operators set for a while, such as how long figures are kept."""

from zena.migrations.fences import run_sql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0022_tuning.sql")
