"""Many tasks changed from a list, and taken back from the message that tells of it."""

from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.html import AnyRequest, told
from zena.kit.i18n import N_, Text
from zena.kit.problems import note_missing
from zena.kit.scope import Scope
from zena.kit.text import safe_next
from zena.work.actions.bulk import Wish, change_tasks
from zena.work.actions.people import Picked
from zena.work.actions.undo import BulkResult, undo_bulk
from zena.work.web import forms

#: The choice that empties a list.
NOBODY = "none"


@post("/tasks/bulk", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def bulk(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    form = await request.form()
    result = await change_tasks(session, actor, ids=forms.ids(form, "ids"), wish=wish_of(form))
    note_missing(request, result.refused)
    undo = f"/tasks/bulk/{result.id}/undo" if result.id else None
    return told(request, outcome(result), safe_next(forms.words(form, "back"), "/tasks"), undo=undo)


@post("/tasks/bulk/{bulk_id:uuid}/undo", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def undo(request: AnyRequest, session: AsyncSession, actor: Scope, bulk_id: FromPath[UUID]) -> Response[str]:
    return told(request, outcome(await undo_bulk(session, actor, bulk_id=bulk_id)), "/tasks")


def wish_of(form: FormMultiDict) -> Wish:
    """Read what is wanted of every chosen task; fields left empty want nothing."""
    if forms.one(form, "trash"):
        return Wish(trash=True)
    fields: dict[str, Any] = {"priority": forms.words(form, "priority"), "due_on": forms.day(form, "due_on")}
    return Wish(
        status=forms.words(form, "status") or None,
        reason=forms.words(form, "reason") or None,
        set={name: value for name, value in fields.items() if value},
        assign=_picked(form, "assignee"),
        label=_picked(form, "label"),
    )


def _picked(form: FormMultiDict, name: str) -> Picked | None:
    if forms.words(form, name) == NOBODY:
        return Picked(whole=())
    chosen = forms.an_id(form, name)
    return Picked(add=[chosen]) if chosen else None


def outcome(result: BulkResult) -> Text:
    """Say how many were changed, and why not the others."""
    refused = [one for one in result.outcomes if not one.ok]
    done = len(result.outcomes) - len(refused)
    if not refused:
        return N_("Tasks changed: %(done)s.", done=done)
    why = refused[0].message or ""
    return N_("Tasks changed: %(done)s, refused: %(refused)s. %(why)s", done=done, refused=len(refused), why=why)


ROUTES = [bulk, undo]
