"""What each route that changes something takes, so that a request gets as far as looking for its object.

`$name` stands for an id of the firm that is tried. A route that is not in here is sent without a body.
"""

from collections.abc import Mapping
from typing import Any, Final

_P: Final = "/api/v1/app/projects/{project_id}"
_T: Final = "/api/v1/app/tasks/{task_id}"
_PAGE: Final = "/projects/{project_key}"
_TASK: Final = "/tasks/{task_id}"

#: Sent with the other firm's ids in the path and in the body.
ADDRESSED: Final[Mapping[str, Any]] = {
    f"PATCH {_P}": {"name": "Taken"},
    f"POST {_P}/duplicate": {},
    f"POST {_P}/status": {"status": "active"},
    f"POST {_P}/members": {"member_id": "$member_id", "role": "viewer"},
    f"POST {_P}/tasks": {"name": "Taken"},
    f"PATCH {_T}": {"name": "Taken"},
    f"POST {_T}/move": {"status": "canceled", "reason": "Taken"},
    f"POST {_T}/rank": {"after": "$other_task_id"},
    f"POST {_T}/assign": {"assignees": ["$member_id"]},
    f"POST {_T}/labels": {"labels": ["$label_id"]},
    f"POST {_T}/dependencies": {"predecessor_id": "$other_task_id"},
    f"POST {_T}/comments": {"body": "Taken"},
    "PATCH /api/v1/app/comments/{comment_id}": {"body": "Taken"},
    "PUT /api/v1/app/comments/{comment_id}/pin": {"pinned": True},
    "PATCH /api/v1/app/labels/{label_id}": {"hue": 9},
    "PATCH /api/v1/app/members/{member_id}": {"role": "viewer"},
    "POST /api/v1/app/imports/{import_id}/check": {},
    "POST /api/v1/app/imports/{import_id}/application": {},
    f"POST {_PAGE}/tasks": {"name": "Taken"},
    f"POST {_PAGE}/settings": {"name": "Taken", "priority": "low", "risk_level": "low"},
    f"POST {_PAGE}/status": {"status": "active"},
    f"POST {_PAGE}/members": {"member_id": "$member_id", "role": "viewer"},
    f"POST {_TASK}/fields": {"name": "Taken"},
    f"POST {_TASK}/status": {"status": "canceled", "reason": "Taken"},
    f"POST {_TASK}/assignees": {"assignees": "$member_id"},
    f"POST {_TASK}/labels": {"labels": "$label_id"},
    f"POST {_TASK}/subtasks": {"name": "Taken"},
    f"POST {_TASK}/comments": {"body": "Taken"},
    f"POST {_TASK}/comments/{{comment_id}}": {"body": "Taken"},
    f"POST {_TASK}/comments/{{comment_id}}/pin": {"pinned": "on"},
    f"POST {_TASK}/dependencies": {"key": "$other_task_key"},
    "POST /labels/{label_id}": {"name": "Taken", "hue": "4"},
    "POST /members/{member_id}/role": {"role": "viewer"},
    "POST /imports/{import_id}/check": {"column-1": "name"},
}
#: Routes that take a file.
UPLOADS: Final = frozenset({f"POST {_P}/imports", f"POST {_PAGE}/imports"})
UPLOAD: Final = b"Ref,Name\n1,Taken\n"

#: Sent to one's own addresses, or to none, with the other firm's ids in the body alone.
SMUGGLED: Final[tuple[tuple[str, str, Any], ...]] = (
    ("POST", "/api/v1/app/projects", {"name": "Own", "owner_id": "$member_id"}),
    ("POST", "/api/v1/app/tasks", {"name": "Own", "project_id": "$project_id"}),
    ("POST", f"{_P}/tasks", {"name": "Own", "assignees": ["$member_id"]}),
    ("POST", f"{_P}/tasks", {"name": "Own", "labels": ["$label_id"]}),
    ("POST", f"{_P}/tasks", {"name": "Own", "parent_id": "$task_id"}),
    ("POST", f"{_P}/members", {"member_id": "$member_id", "role": "viewer"}),
    ("POST", f"{_T}/assign", {"assignees": ["$member_id"]}),
    ("POST", f"{_T}/labels", {"labels": ["$label_id"]}),
    ("POST", f"{_T}/rank", {"after": "$other_task_id"}),
    ("POST", f"{_T}/dependencies", {"predecessor_id": "$task_id"}),
    ("PATCH", _T, {"parent_id": "$task_id"}),
    ("POST", "/api/v1/app/tasks/bulk", {"ids": ["$task_id"], "set": {"priority": "urgent"}}),
    ("POST", "/tasks/bulk", {"ids": "$task_id", "priority": "urgent"}),
)

#: Lists, asked for the other firm's words and ids.
SEARCHES: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("/api/v1/app/projects", {"q": "$mark", "count": "1"}),
    ("/api/v1/app/tasks", {"q": "$mark", "count": "1"}),
    ("/api/v1/app/tasks", {"assignee": "$member_id", "count": "1"}),
    ("/api/v1/app/tasks", {"label": "$label_id", "count": "1"}),
    ("/api/v1/app/tasks", {"parent": "$task_id", "count": "1"}),
    ("/api/v1/app/members", {"q": "$mark"}),
    ("/api/v1/app/audit", {"subject": "$task_id"}),
    ("/api/v1/app/audit", {"actor": "$member_id"}),
    ("/tasks", {"q": "$mark"}),
    ("/members", {"q": "$mark"}),
    ("/audit", {"actor": "$member_id"}),
)


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """Return a body or query with ids in the places of their names."""
    if isinstance(value, Mapping):
        return {name: filled(one, ids) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, ids) for one in value]
    return ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value
