"""What the installation measures of itself, in a schema of its own."""

from zena.migrations.fences import run_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0005_operate.sql")
