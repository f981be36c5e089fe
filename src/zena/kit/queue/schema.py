"""The queue's own database schema: pgqueuer's tables under fixed names, two small tables of ours, and the grants."""

from functools import cache

from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.domain.settings import DBSettings, Durability

SCHEMA = "queue"

#: NOTIFY channel of the queue table. Payloads say "something changed" and nothing else.
CHANNEL = "zena_queue"

#: The role of the worker's queue connections; the web only inserts.
WORKER_ROLE = "zena_queue"

#: Wakes the workers after a change that pgqueuer's trigger does not report: it sees insertions and deletions only.
WAKE = f"""
SELECT pg_notify('{CHANNEL}', json_build_object('channel', '{CHANNEL}', 'operation', 'update', 'sent_at', now(),
                                                'table', 'pgqueuer', 'type', 'table_changed_event')::text)
"""

_OURS = """
CREATE TABLE queue.cron (
    name text NOT NULL PRIMARY KEY,
    slot timestamptz NOT NULL
);

CREATE TABLE queue.paused (
    entrypoint text NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

GRANT USAGE ON SCHEMA queue TO zena_app, zena_queue, zena_ops, zena_ops_read, zena_backup;

-- status only because ON CONFLICT reads the columns of its index predicate
GRANT INSERT, SELECT (id, entrypoint, priority, dedupe_key, status) ON queue.pgqueuer TO zena_app;

GRANT INSERT ON queue.pgqueuer_log TO zena_app;

GRANT USAGE ON ALL SEQUENCES IN SCHEMA queue TO zena_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA queue TO zena_queue, zena_ops;

GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA queue TO zena_queue, zena_ops;

GRANT SELECT ON ALL TABLES IN SCHEMA queue TO zena_ops_read, zena_backup;

GRANT SELECT ON ALL SEQUENCES IN SCHEMA queue TO zena_backup;
"""


@cache
def queue_settings() -> DBSettings:
    """Return the names of all queue objects.

    Every field is given: what is left out would be taken from environment variables such as CHANNEL or TRIGGER.
    """
    return DBSettings(
        prefix="",
        db_schema=SCHEMA,
        channel=CHANNEL,
        function="pgqueuer_changed",
        statistics_table="pgqueuer_statistics",
        queue_status_type="pgqueuer_status",
        queue_table="pgqueuer",
        queue_table_log="pgqueuer_log",
        trigger="pgqueuer_changed",
        schedules_table="pgqueuer_schedules",
        durability=Durability.durable,
        widen_id=True,
    )


def queue_schema_sql() -> str:
    """Return the SQL that installs the queue, for a migration run as the owner. The roles must exist."""
    return f"{QueryBuilderEnvironment(queue_settings()).build_install_query()}\n{_OURS}"
