"""What operators ask for in the console, for a worker to do."""

from zena.migrations.fences import run_sql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0018_orders.sql")
