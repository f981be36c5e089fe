"""The job queue's own schema. No tenant table: the tenant stands in each job's headers, arguments are ids only."""

from zena.kit.queue.schema import queue_schema_sql
from zena.migrations.fences import run_text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_text(queue_schema_sql())
