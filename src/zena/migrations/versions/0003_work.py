"""Projects, tasks, what hangs on them, and their counters."""

from zena.migrations.fences import fence, run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PROJECT = [
    "key", "name", "sort_key", "description", "owner_id", "start_on", "end_on", "status", "priority", "risk_level",
    "budget_planned", "budget_actual", "tags", "position", "completed_at", "archived_from", "archived_at",
    "archived_by", "updated_at", "deleted_at", "deleted_by", "version",
]  # fmt: skip
TASK = [
    "name", "description", "status", "priority", "parent_id", "depth", "rank", "assignee_ids", "label_ids", "start_on",
    "due_on", "estimate_min", "spent_min", "own_progress", "progress", "internal", "block_reason", "cancel_reason",
    "held_by_project", "started_at", "closed_at", "closed_day", "closed_by", "updated_at", "deleted_at", "deleted_by",
    "deleted_with", "version",
]  # fmt: skip
STATS = [
    "backlog", "in_progress", "blocked", "done", "canceled", "trashed", "all_low", "all_normal", "all_high",
    "all_urgent", "open_low", "open_normal", "open_high", "open_urgent", "open_estimate", "weight", "weight_progress",
]  # fmt: skip
IMPORT = ["mapping", "options", "state", "rows_total", "rows_done", "report", "applied_at", "version"]


def upgrade() -> None:
    run_sql("0003_work.sql")
    fence("project", updates=PROJECT, deletes=True)
    fence("project_member", updates=["role"], deletes=True)
    fence("task", updates=TASK, deletes=True)
    fence("task_assignee", updates=None, deletes=True)
    fence("label", updates=["name", "name_key", "hue", "version"], deletes=True)
    fence("task_label", updates=None, deletes=True)
    fence("task_dependency", updates=["type", "lag_min"], deletes=True)
    fence("comment", updates=["body", "internal", "pinned", "edited_at", "deleted_at", "deleted_by", "version"])
    fence("project_counter", updates=["last_number"])
    fence("project_stats", updates=STATS)
    fence("project_due_stats", updates=["open"], deletes=True)
    fence("project_day_stats", updates=["created", "done"], deletes=True)
    fence("assignee_stats", updates=["open"])
    fence("import_run", updates=IMPORT, deletes=True)
    fence("bulk_change", updates=["undone_at", "undone_by"])
