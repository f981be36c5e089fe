"""Who is told of an incident, over which channel, and when nobody wants to be told."""

from zena.migrations.fences import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0017_notices.sql")
