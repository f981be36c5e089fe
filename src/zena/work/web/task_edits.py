"""Changing a task in its panel: each form answers the panel anew, or 422 with the message beside the field."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.errors import Invalid
from zena.kit.html import AnyRequest, fragment, is_htmx, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.comments import create_comment, delete_comment, edit_comment, pin_comment
from zena.work.actions.dependencies import link_tasks, unlink_tasks
from zena.work.actions.move import move_task
from zena.work.actions.people import assign_task, label_task
from zena.work.actions.tasks import create_task, update_task
from zena.work.actions.trash import restore_task, trash_task
from zena.work.queries.pages import task_again, task_called
from zena.work.web import forms
from zena.work.web.tasks import PAGE, PANEL, panel_context

Change = Callable[[FormMultiDict], Awaitable[Any]]

READ: dict[str, Callable[[FormMultiDict, str], Any]] = {
    "name": forms.words,
    "description": forms.words,
    "priority": forms.words,
    "start_on": forms.day,
    "due_on": forms.day,
    "estimate_min": forms.hours,
    "spent_min": forms.hours,
    "progress": forms.whole,
    "parent_id": forms.an_id,
}


@post("/tasks/{task_id:uuid}/fields", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def fields(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        sent = {name: read(form, name) for name, read in READ.items() if name in form}
        if "spent_min" in sent or "progress" in sent:
            sent = {name: value or 0 if name in {"spent_min", "progress"} else value for name, value in sent.items()}
        seen = forms.version(form)
        await update_task(session, actor, task_id=task_id, changes=sent, version=seen, version_in_body=True)

    return await _answer(request, session, actor, task_id, change)


@post("/tasks/{task_id:uuid}/status", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def status(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        reason = forms.words(form, "reason") or None
        await move_task(session, actor, task_id=task_id, to=forms.words(form, "status"), reason=reason)

    return await _answer(request, session, actor, task_id, change, form="status")


@post("/tasks/{task_id:uuid}/assignees", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def assignees(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        await assign_task(session, actor, task_id=task_id, assignees=forms.ids(form, "assignees"))

    return await _answer(request, session, actor, task_id, change, form="assignees")


@post("/tasks/{task_id:uuid}/labels", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def put_labels(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]
) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        await label_task(session, actor, task_id=task_id, labels=forms.ids(form, "labels"))

    return await _answer(request, session, actor, task_id, change, form="labels")


@post("/tasks/{task_id:uuid}/subtasks", opt=may(Permission.TASKS_CREATE), status_code=200)
async def subtask(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        above = await task_again(await raw(session), actor, task_id)
        name = forms.words(form, "name")
        await create_task(session, actor, project_id=above.project_id, name=name, parent_id=task_id)

    return await _answer(request, session, actor, task_id, change, form="subtask")


@post("/tasks/{task_id:uuid}/comments", opt=may(Permission.COMMENTS_CREATE), status_code=200)
async def comment(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        internal = forms.flag(form, "internal")
        await create_comment(session, actor, task_id=task_id, body=forms.words(form, "body"), internal=internal)

    return await _answer(request, session, actor, task_id, change, form="comment")


@post("/tasks/{task_id:uuid}/comments/{comment_id:uuid}", opt=may(Permission.COMMENTS_CREATE), status_code=200)
async def recomment(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID], comment_id: FromPath[UUID]
) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        body, seen = forms.words(form, "body"), forms.version(form)
        await edit_comment(session, actor, comment_id=comment_id, task_id=task_id, body=body, version=seen)

    return await _answer(request, session, actor, task_id, change, form=f"comment-{comment_id}")


@post("/tasks/{task_id:uuid}/comments/{comment_id:uuid}/trash", opt=may(Permission.COMMENTS_CREATE), status_code=200)
async def uncomment(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID], comment_id: FromPath[UUID]
) -> Response[str]:
    async def change(_: FormMultiDict) -> None:
        await delete_comment(session, actor, comment_id=comment_id, task_id=task_id)

    return await _answer(request, session, actor, task_id, change)


@post("/tasks/{task_id:uuid}/comments/{comment_id:uuid}/pin", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def pin(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID], comment_id: FromPath[UUID]
) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        pinned = forms.flag(form, "pinned")
        await pin_comment(session, actor, comment_id=comment_id, task_id=task_id, pinned=pinned)

    return await _answer(request, session, actor, task_id, change)


@post("/tasks/{task_id:uuid}/dependencies", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def link(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    async def change(form: FormMultiDict) -> None:
        key = forms.words(form, "key").strip()
        if not key:
            raise Invalid.field("key", N_("Which task? Write its key, such as HBR-142."), "required")
        before = await task_called(await raw(session), actor, key)
        kind = forms.words(form, "type") or "FS"
        await link_tasks(session, actor, successor_id=task_id, predecessor_id=before.id, kind=kind)

    return await _answer(request, session, actor, task_id, change, form="link")


@post(
    "/tasks/{task_id:uuid}/dependencies/{dependency_id:uuid}/trash", opt=may(Permission.TASKS_UPDATE), status_code=200
)
async def unlink(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID], dependency_id: FromPath[UUID]
) -> Response[str]:
    async def change(_: FormMultiDict) -> None:
        await unlink_tasks(session, actor, successor_id=task_id, dependency_id=dependency_id)

    return await _answer(request, session, actor, task_id, change)


@post("/tasks/{task_id:uuid}/trash", opt=may(Permission.TASKS_DELETE), status_code=303)
async def trash(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    task, project = await trash_task(session, actor, task_id=task_id)
    key = f"{project.key}-{task.number}"
    return see_other(request, f"/projects/{project.key}", toast=N_("%(key)s is in the trash.", key=key))


@post("/tasks/{task_id:uuid}/restore", opt=may(Permission.TASKS_DELETE), status_code=303)
async def restore(request: AnyRequest, session: AsyncSession, actor: Scope, task_id: FromPath[UUID]) -> Response[str]:
    task, project = await restore_task(session, actor, task_id=task_id)
    key = f"{project.key}-{task.number}"
    return see_other(request, "/trash", toast=N_("%(key)s is back.", key=key))


async def _answer(
    request: AnyRequest, session: AsyncSession, actor: Scope, task_id: UUID, change: Change, form: str | None = None
) -> Response[str]:
    """Run one change and show the panel as it is then; a refusal shows it as it was, with the message."""
    sent = await request.form()
    conn = await raw(session)
    context = await panel_context(conn, actor, await task_again(conn, actor, task_id))
    name = form or next((field for field in READ if field in sent), None)
    async with refusing(request, session, PAGE, sent, fragment=PANEL, form=name, **context):
        await change(sent)
        await session.flush()
    task = await task_again(conn, actor, task_id)
    if not is_htmx(request):
        return see_other(request, f"/tasks/{task.key}")
    return fragment(request, session, PANEL, **await panel_context(conn, actor, task))


ROUTES = [
    fields, status, assignees, put_labels, subtask, comment, recomment, uncomment, pin, link, unlink, trash, restore,
]  # fmt: skip
