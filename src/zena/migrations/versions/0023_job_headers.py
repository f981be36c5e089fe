"""A job's headers are an object, or no worker can read the queue."""

from zena.migrations.fences import run_sql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0023_job_headers.sql")
