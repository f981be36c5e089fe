"""Who may do what with projects, tasks and labels over the API. The part in a project narrows further: test_policy.py.

The world's project belongs to the project manager; the member contributes to it, viewer and client look on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.factories import Firm
from tests.matrix import EVERYONE, STAFF, Row, World
from tests.work.making import made_bulk, made_label, made_link, made_project, made_task
from zena.accounts.permissions import Role
from zena.kit.state import State

LEADERS = "owner admin pm"
WRITERS = f"{LEADERS} member"

PROJECT = "/api/v1/app/projects/{project_id:uuid}"
TASK = "/api/v1/app/tasks/{task_id:uuid}"
BULK = "/api/v1/app/tasks/bulk"
LABEL = "/api/v1/app/labels/{label_id:uuid}"


def _any_version(_: World) -> Mapping[str, str]:
    return {"If-Match": "*"}


def _body(**fields: Any) -> Callable[[World], Any]:
    """Return a body; a value beginning with $ is looked up in the world."""

    def filled(world: World) -> Any:
        return {name: _value(value, world) for name, value in fields.items()}

    return filled


def _value(value: Any, world: World) -> Any:
    if isinstance(value, list):
        return [_value(one, world) for one in value]
    return world[value[1:]] if isinstance(value, str) and value.startswith("$") else value


PROJECTS = [
    Row("GET", "/api/v1/app/projects", EVERYONE),
    Row("POST", "/api/v1/app/projects", LEADERS, ok=201, json=_body(name="Quay wall")),
    Row("GET", "/api/v1/app/projects/key", LEADERS, query="?name=Quay"),
    Row("GET", "/api/v1/app/projects/trash", LEADERS),
    Row("GET", PROJECT, EVERYONE),
    Row("PATCH", PROJECT, LEADERS, json=_body(name="Other"), headers=_any_version),
    Row("DELETE", PROJECT, LEADERS, ok=409),  # it has tasks
    Row("POST", f"{PROJECT}/purge", LEADERS, ok=404),  # only what is in the trash
    Row("POST", f"{PROJECT}/duplicate", LEADERS, ok=201, json=_body()),
    Row("POST", f"{PROJECT}/status", LEADERS, json=_body(status="active")),
    Row("GET", f"{PROJECT}/members", STAFF),
    Row("POST", f"{PROJECT}/members", LEADERS, json=_body(member_id="$member_id", role="viewer")),
    Row("DELETE", f"{PROJECT}/members/{{member_id:uuid}}", LEADERS, ok=204),
    Row("POST", f"{PROJECT}/trash", LEADERS, ok=409),  # it has tasks
    Row("POST", f"{PROJECT}/restore", LEADERS, ok=404),
    Row("GET", f"{PROJECT}/tasks", EVERYONE),
    Row("POST", f"{PROJECT}/tasks", WRITERS, ok=201, json=_body(name="Dig")),
]
TASKS = [
    Row("GET", "/api/v1/app/tasks", EVERYONE),
    Row("POST", "/api/v1/app/tasks", WRITERS, ok=201, other=404, json=_body(name="Dig", project_id="$project_id")),
    Row("GET", "/api/v1/app/tasks/trash", WRITERS),
    Row("GET", TASK, EVERYONE),
    Row("PATCH", TASK, WRITERS, json=_body(name="Other"), headers=_any_version),
    Row("DELETE", TASK, LEADERS, ok=204),  # members throw away what they made
    Row("POST", f"{TASK}/purge", WRITERS, ok=404),
    Row("POST", f"{TASK}/duplicate", WRITERS, ok=201),
    Row("POST", f"{TASK}/trash", LEADERS),
    Row("POST", f"{TASK}/restore", WRITERS, ok=404),
    Row("POST", f"{TASK}/move", WRITERS, json=_body(status="canceled", reason="No longer needed")),
    Row("POST", f"{TASK}/rank", WRITERS, json=_body(after="$other_task_id")),
    Row("POST", f"{TASK}/assign", LEADERS, json=_body(assignees=["$member_id"])),
    Row("POST", f"{TASK}/labels", WRITERS, json=_body(labels=["$label_id"])),
    Row("POST", BULK, WRITERS, json=_body(ids=["$task_id"], set={"priority": "high"})),
    Row("POST", f"{BULK}/{{bulk_id:uuid}}/undo", "owner admin", by={"pm": 200, "member": 404}),
    Row("GET", f"{TASK}/dependencies", EVERYONE),
    Row("POST", f"{TASK}/dependencies", WRITERS, ok=201, json=_body(predecessor_id="$third_task_id")),
    Row("DELETE", f"{TASK}/dependencies/{{dependency_id:uuid}}", WRITERS, ok=204),
]
LABELS = [
    Row("GET", "/api/v1/app/labels", EVERYONE),
    Row("POST", "/api/v1/app/labels", LEADERS, ok=201, json=_body(name="Concrete", hue=3)),
    Row("PATCH", LABEL, LEADERS, json=_body(hue=4), headers=_any_version),
    Row("DELETE", LABEL, LEADERS, ok=204),
]
ROWS = [*PROJECTS, *TASKS, *LABELS]


async def furnish(state: State, firm: Firm) -> dict[str, str]:
    """A project with three tasks, the first waiting for the second; `member_id` is the firm's member."""
    project = await made_project(state, firm)
    task, other, third = [await made_task(state, firm, project, name=name) for name in ("Pour", "Formwork", "Survey")]
    link = await made_link(state, firm, other, task)
    label = await made_label(state, firm)
    bulk = await made_bulk(state, firm, other)
    return {
        "project_id": str(project),
        "task_id": str(task),
        "other_task_id": str(other),
        "third_task_id": str(third),
        "dependency_id": str(link),
        "label_id": str(label),
        "bulk_id": str(bulk),
        "member_id": str(firm.people[Role.MEMBER].member),
    }
