"""What one firm may try with the ids of another: in the address, and in the body of something that is its own."""

import json
from collections.abc import Mapping
from string import Template
from typing import Any

#: What is tried with another firm's ids: in the address, then in the body of something that is one's own.
REACHES: list[tuple[str, str, Any]] = [
    ("GET", "projects/$project", None),
    ("GET", "projects/$project/tasks", None),
    ("GET", "projects/$project/kpis", None),
    ("PATCH", "projects/$project", {"name": "Taken"}),
    ("DELETE", "projects/$project", None),
    ("POST", "projects/$project/restore", None),
    ("POST", "projects/$project/status", {"status": "active"}),
    ("POST", "projects/$project/duplicate", {}),
    ("POST", "projects/$project/tasks", {"name": "Planted"}),
    ("POST", "projects/$project/members", {"member_id": "$own_member", "role": "manager"}),
    ("GET", "tasks/$task", None),
    ("GET", "tasks/$task/comments", None),
    ("GET", "tasks/$task/dependencies", None),
    ("GET", "tasks/$task/activity", None),
    ("PATCH", "tasks/$task", {"name": "Taken"}),
    ("POST", "tasks/$task/move", {"status": "canceled", "reason": "Taken"}),
    ("POST", "tasks/$task/rank", {}),
    ("POST", "tasks/$task/assign", {"assignees": ["$own_member"]}),
    ("POST", "tasks/$task/labels", {"labels": []}),
    ("POST", "tasks/$task/comments", {"body": "Planted"}),
    ("POST", "tasks/$task/dependencies", {"predecessor_id": "$own_task"}),
    ("POST", "tasks/$task/duplicate", None),
    ("DELETE", "tasks/$task", None),
    ("POST", "tasks/$task/restore", None),
    ("POST", "tasks/$task/purge", None),
    ("PATCH", "labels/$label", {"name": "Taken"}),
    ("DELETE", "labels/$label", None),
    ("PATCH", "comments/$comment", {"body": "Taken"}),
    ("DELETE", "comments/$comment", None),
    ("DELETE", "tasks/$own_task/dependencies/$link", None),
    ("DELETE", "projects/$own_project/members/$member", None),
    ("POST", "projects", {"name": "Mine", "owner_id": "$member"}),
    ("PATCH", "projects/$own_project", {"owner_id": "$member"}),
    ("POST", "projects/$own_project/members", {"member_id": "$member", "role": "viewer"}),
    ("POST", "tasks", {"name": "Planted", "project_id": "$project"}),
    ("POST", "projects/$own_project/tasks", {"name": "Mine", "parent_id": "$task"}),
    ("POST", "projects/$own_project/tasks", {"name": "Mine", "assignees": ["$own_member", "$member"]}),
    ("POST", "projects/$own_project/tasks", {"name": "Mine", "labels": ["$label"]}),
    ("POST", "projects/$own_project/tasks", {"name": "Mine", "after": "$task"}),
    ("PATCH", "tasks/$own_task", {"parent_id": "$task"}),
    ("POST", "tasks/$own_task/move", {"after": "$task"}),
    ("POST", "tasks/$own_task/rank", {"before": "$task"}),
    ("POST", "tasks/$own_task/assign", {"add": ["$member"]}),
    ("POST", "tasks/$own_task/labels", {"add": ["$label"]}),
    ("POST", "tasks/$own_task/dependencies", {"predecessor_id": "$task"}),
    ("POST", "tasks/bulk/$bulk/undo", None),
    ("POST", "tasks/bulk", {"ids": ["$task"], "set": {"priority": "low"}}),
    ("POST", "tasks/bulk", {"ids": ["$own_task"], "set": {"parent_id": "$task"}}),
    ("POST", "tasks/bulk", {"ids": ["$own_task"], "assign": {"add": ["$member"]}}),
    ("POST", "tasks/bulk", {"ids": ["$own_task"], "label": {"add": ["$label"]}}),
]


def reach(which: int, ids: Mapping[str, str]) -> tuple[str, str, Any, dict[str, str]]:
    """Return method, path and body of one attempt, filled in; and the ids that were named in it."""
    method, path, body = REACHES[which]
    text = json.dumps(body)
    named = {name: ids[name] for name in (*Template(path).get_identifiers(), *Template(text).get_identifiers())}
    return method, Template(path).substitute(ids), json.loads(Template(text).substitute(ids)), named
