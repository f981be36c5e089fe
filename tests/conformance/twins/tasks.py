"""Tasks: made, changed alone and together, linked, talked about, thrown away."""

from tests.conformance.twins.shape import PROJECT, TASK, Twin, both, did

_BULK = "POST /api/v1/app/tasks/bulk"
_TWO = ["$task_id", "$third_task_id"]

_ONE = [
    Twin(
        "POST /projects/{project_key}/tasks",
        f"POST {PROJECT}/tasks",
        *both(name="Dig", priority="high", due_on="2026-05-01", assignees=["$member", "$pm"]),
        bad=(both(name=" "), both(name="A", priority="x")),
    ),
    Twin(
        "POST /tasks/{task_id}/subtasks",
        f"POST {PROJECT}/tasks",
        {"name": "Order the pump"},
        {"name": "Order the pump", "parent_id": "$task_id"},
        bad=(({"name": " "}, {"name": " ", "parent_id": "$task_id"}),),
    ),
    Twin(
        "POST /tasks/{task_id}/fields",
        f"PATCH {TASK}",
        {"name": "Other", "description": "**Now**", "priority": "urgent", "start_on": "2026-01-05", "due_on": ""}
        | {"estimate_min": "1.5", "spent_min": "0.25", "progress": "40", "parent_id": "$third_task_id"},
        {"name": "Other", "description": "**Now**", "priority": "urgent", "start_on": "2026-01-05", "due_on": None}
        | {"estimate_min": 90, "spent_min": 15, "progress": 40, "parent_id": "$third_task_id"},
        bad=(
            both(name=""),
            ({"progress": "101"}, {"progress": 101}),
            both(priority="x"),
            both(parent_id="$task_id"),
            both(start_on="2026-02-01", due_on="2026-01-01"),
        ),
    ),
    Twin(
        "POST /tasks/{task_id}/status",
        f"POST {TASK}/move",
        *both(status="canceled", reason="No longer needed"),
        bad=(both(status="canceled"), both(status="done"), both(status="in_progress"), both(status="x")),
    ),
    Twin("POST /tasks/{task_id}/assignees", f"POST {TASK}/assign", *both(assignees=["$member", "$pm"])),
    Twin("POST /tasks/{task_id}/labels", f"POST {TASK}/labels", *both(labels=["$label_id"])),
    Twin("POST /tasks/{task_id}/trash", f"POST {TASK}/trash"),
    Twin("POST /tasks/{task_id}/trash", f"DELETE {TASK}"),
    Twin("POST /tasks/{task_id}/restore", f"POST {TASK}/restore", first=did("POST", f"{TASK}/trash")),
]

_TALK_AND_LINKS = [
    Twin(
        "POST /tasks/{task_id}/comments",
        f"POST {TASK}/comments",
        {"body": "Ready for @$member_email", "internal": "on"},
        {"body": "Ready for @$member_email", "internal": True},
        bad=(both(body=" "),),
    ),
    Twin(
        "POST /tasks/{task_id}/comments/{comment_id}",
        "PATCH /api/v1/app/comments/{comment_id}",
        *both(body="Not yet ready for @$member_email"),
        by="pm",
        bad=(both(body=" "),),
    ),
    Twin(
        "POST /tasks/{task_id}/comments/{comment_id}/pin",
        "PUT /api/v1/app/comments/{comment_id}/pin",
        {"pinned": "on"},
        {"pinned": True},
        by="pm",
    ),
    Twin("POST /tasks/{task_id}/comments/{comment_id}/trash", "DELETE /api/v1/app/comments/{comment_id}", by="pm"),
    Twin(
        "POST /tasks/{task_id}/dependencies",
        f"POST {TASK}/dependencies",
        {"key": "$third_task_key", "type": "SS"},
        {"predecessor_id": "$third_task_id", "type": "SS"},
        bad=(
            ({"key": "$task_key"}, {"predecessor_id": "$task_id"}),
            ({"key": "$third_task_key", "type": "x"}, {"predecessor_id": "$third_task_id", "type": "x"}),
            ({"key": "$other_task_key"}, {"predecessor_id": "$other_task_id"}),
        ),
    ),
    Twin("POST /tasks/{task_id}/dependencies/{dependency_id}/trash", f"DELETE {TASK}/dependencies/{{dependency_id}}"),
]

_MANY = [
    Twin(
        "POST /tasks/bulk",
        _BULK,
        {"ids": _TWO, "priority": "urgent", "due_on": "2026-05-01", "status": "canceled", "reason": "No money"}
        | {"assignee": "$member", "label": "$label_id"},
        {"ids": _TWO, "set": {"priority": "urgent", "due_on": "2026-05-01"}, "status": "canceled", "reason": "No money"}
        | {"assign": {"add": ["$member"]}, "label": {"add": ["$label_id"]}},
        bad=(both(ids=_TWO),),
    ),
    Twin(
        "POST /tasks/bulk",
        _BULK,
        {"ids": _TWO, "assignee": "none"},
        {"ids": _TWO, "assign": {"assignees": []}},
        first=did("POST", f"{TASK}/assign", {"assignees": ["$pm"]}),
    ),
    Twin("POST /tasks/bulk", _BULK, {"ids": _TWO, "trash": "on"}, {"ids": _TWO, "trash": True}),
    Twin("POST /tasks/bulk/{bulk_id}/undo", "POST /api/v1/app/tasks/bulk/{bulk_id}/undo"),
]

TWINS = [*_ONE, *_TALK_AND_LINKS, *_MANY]
