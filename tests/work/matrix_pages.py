"""Who may open and use the pages of work, its comments and its imports. Made of the world of tests/work/matrix.py."""

from collections.abc import AsyncIterator, Callable, Mapping

from sqlalchemy import text

from tests.factories import Firm
from tests.matrix import EVERYONE, STAFF, Row, World
from tests.work.matrix import LEADERS, WRITERS, _any_version, _body
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.actions.comments import create_comment
from zena.work.imports.actions import Intake, start_import

PROJECT = "/projects/{project_key:str}"
TASK = "/tasks/{task_id:uuid}"
CSV = b"Ref,Name\n1,Dig\n2,Pour\n"


def _form(**fields: str) -> Callable[[World], Mapping[str, str]]:
    return lambda world: {name: world[value[1:]] if value.startswith("$") else value for name, value in fields.items()}


def _file(_: World) -> dict[str, tuple[str, bytes, str]]:
    return {"file": ("plan.csv", CSV, "text/csv")}


PAGES = [
    Row("GET", "/projects", EVERYONE),
    Row("GET", "/projects/new", LEADERS),
    Row("POST", "/projects", LEADERS, ok=303, form=_form(name="Quay wall")),
    Row("GET", PROJECT, EVERYONE),
    Row("GET", f"{PROJECT}/board", EVERYONE),
    Row("POST", f"{PROJECT}/tasks", WRITERS, ok=303, form=_form(name="Dig")),
    Row("GET", f"{PROJECT}/settings", STAFF),
    Row("POST", f"{PROJECT}/settings", LEADERS, ok=303, form=_form(name="Quay", priority="low", risk_level="low")),
    Row("POST", f"{PROJECT}/status", LEADERS, ok=303, form=_form(status="active")),
    Row("POST", f"{PROJECT}/members", LEADERS, ok=303, form=_form(member_id="$member_id", role="viewer")),
    Row("POST", f"{PROJECT}/trash", LEADERS, ok=422, form=_form()),  # it has tasks
    Row("POST", f"{PROJECT}/restore", LEADERS, ok=404, form=_form()),  # it is not in the trash
    Row("GET", "/tasks", EVERYONE),
    Row("GET", "/tasks/{task_key:str}", EVERYONE),
    Row("GET", "/my-work", EVERYONE),
    Row("GET", "/trash", WRITERS),
    Row("POST", f"{TASK}/fields", WRITERS, ok=303, form=_form(name="Other")),
    Row("POST", f"{TASK}/status", WRITERS, ok=303, form=_form(status="canceled", reason="No longer needed")),
    Row("POST", f"{TASK}/assignees", LEADERS, ok=303, form=_form(assignees="$member_id")),
    Row("POST", f"{TASK}/labels", WRITERS, ok=303, form=_form(labels="$label_id")),
    Row("POST", f"{TASK}/subtasks", WRITERS, ok=303, form=_form(name="Order the pump")),
    Row("POST", f"{TASK}/comments", f"{WRITERS} client", ok=303, form=_form(body="Ready")),
    Row("POST", f"{TASK}/comments/{{comment_id:uuid}}", "pm", ok=303, form=_form(body="Not yet")),
    Row("POST", f"{TASK}/comments/{{comment_id:uuid}}/pin", WRITERS, ok=303, form=_form(pinned="on")),
    Row("POST", f"{TASK}/comments/{{comment_id:uuid}}/trash", LEADERS, ok=303, form=_form()),
    Row("POST", f"{TASK}/dependencies", WRITERS, ok=303, form=_form(key="$third_task_key")),
    Row("POST", f"{TASK}/dependencies/{{dependency_id:uuid}}/trash", WRITERS, ok=303, form=_form()),
    Row("POST", f"{TASK}/trash", LEADERS, ok=303, form=_form()),
    Row("POST", f"{TASK}/restore", WRITERS, ok=404, form=_form()),
    Row("POST", "/tasks/bulk", WRITERS, ok=303, form=_form(ids="$task_id", priority="high")),
    Row("POST", "/tasks/bulk/{bulk_id:uuid}/undo", "owner admin", ok=303, by={"pm": 303, "member": 404}, form=_form()),
    Row("GET", "/labels", LEADERS),
    Row("POST", "/labels", LEADERS, ok=303, form=_form(name="Steel", hue="3")),
    Row("POST", "/labels/{label_id:uuid}", LEADERS, ok=303, form=_form(name="Steel", hue="4")),
    Row("POST", "/labels/{label_id:uuid}/removal", LEADERS, ok=303, form=_form()),
]
COMMENTS = [
    Row("GET", "/api/v1/app/tasks/{task_id:uuid}/comments", EVERYONE),
    Row("POST", "/api/v1/app/tasks/{task_id:uuid}/comments", f"{WRITERS} client", ok=201, json=_body(body="Ready")),
    Row("PATCH", "/api/v1/app/comments/{comment_id:uuid}", "pm", json=_body(body="Not yet"), headers=_any_version),
    Row("PUT", "/api/v1/app/comments/{comment_id:uuid}/pin", WRITERS, json=_body(pinned=True)),
    Row("DELETE", "/api/v1/app/comments/{comment_id:uuid}", LEADERS, ok=204),
    Row("GET", "/api/v1/app/tasks/{task_id:uuid}/activity", EVERYONE),
    Row("GET", "/api/v1/app/projects/{project_id:uuid}/activity", EVERYONE),
]
IMPORTS = [
    Row("GET", f"{PROJECT}/imports", LEADERS),
    Row("POST", f"{PROJECT}/imports", LEADERS, ok=303, files=_file),
    Row("GET", "/imports/{import_id:uuid}", LEADERS),
    Row("POST", "/imports/{import_id:uuid}/check", LEADERS, ok=303, form=_form(**{"column-1": "name"})),
    Row("POST", "/imports/{import_id:uuid}/application", LEADERS, ok=303, form=_form()),
    Row("POST", "/api/v1/app/projects/{project_id:uuid}/imports", LEADERS, ok=201, files=_file),
    Row("GET", "/api/v1/app/imports/{import_id:uuid}", LEADERS),
    Row("POST", "/api/v1/app/imports/{import_id:uuid}/check", LEADERS, json=_body()),
    Row("POST", "/api/v1/app/imports/{import_id:uuid}/application", LEADERS, json=_body()),
]
ROWS = [*PAGES, *COMMENTS, *IMPORTS]


async def furnish(state: State, firm: Firm) -> dict[str, str]:
    """A project by key, a comment of the project manager's on the world's task, an import waiting for its next step."""
    scope = firm.scope("pm")
    async with tenant_work(state.db, scope) as session:
        rows = await session.execute(
            text(
                "SELECT p.id AS project, p.key || '-' || t.number AS called, p.key, t.id, t.name FROM task t"
                " JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id WHERE t.tenant_id = :tenant"
            ),
            {"tenant": firm.tenant},
        )
        tasks = {row.name: row for row in rows}
        comment = await create_comment(session, scope, task_id=tasks["Pour"].id, body="Checked on site.")
        run, _ = await start_import(
            session,
            scope,
            project_id=tasks["Pour"].project,
            content=_content(),
            file_name="plan.csv",
            intake=Intake(state.storage, 100, 10_000),
        )
    return {
        "project_key": tasks["Pour"].key,
        "task_key": tasks["Pour"].called,
        "third_task_key": tasks["Survey"].called,
        "comment_id": str(comment.id),
        "import_id": str(run.id),
    }


async def _content() -> AsyncIterator[bytes]:
    yield CSV
