"""The firm's labels: made, renamed, coloured, taken away."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.html import AnyRequest, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.work.actions.labels import HUES, create_label, delete_label, update_label
from zena.work.queries.pages import labels
from zena.work.web import forms

TEMPLATE, HERE = "labels/list.html", "/labels"


@get("/labels", opt=may(Permission.LABELS_MANAGE))
async def index(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    return await page(request, session, TEMPLATE, **await _context(session, actor))


@post("/labels", opt=may(Permission.LABELS_MANAGE), status_code=303)
async def create(request: AnyRequest, session: AsyncSession, actor: Scope) -> Response[str]:
    form = await request.form()
    async with refusing(request, session, TEMPLATE, form, form="new-label", **await _context(session, actor)):
        await create_label(session, actor, name=forms.words(form, "name"), hue=forms.whole(form, "hue") or 0)
    return see_other(request, HERE, toast=N_("Saved."))


@post("/labels/{label_id:uuid}", opt=may(Permission.LABELS_MANAGE), status_code=303)
async def change(request: AnyRequest, session: AsyncSession, actor: Scope, label_id: FromPath[UUID]) -> Response[str]:
    form = await request.form()
    name = f"label-{label_id}"
    async with refusing(request, session, TEMPLATE, form, form=name, **await _context(session, actor)):
        changes = {"name": forms.words(form, "name"), "hue": forms.whole(form, "hue") or 0}
        await update_label(session, actor, label_id=label_id, version=forms.version(form), **changes)
    return see_other(request, HERE, toast=N_("Saved."))


@post("/labels/{label_id:uuid}/removal", opt=may(Permission.LABELS_MANAGE), status_code=303)
async def remove(request: AnyRequest, session: AsyncSession, actor: Scope, label_id: FromPath[UUID]) -> Response[str]:
    await delete_label(session, actor, label_id=label_id)
    return see_other(request, HERE, toast=N_("The label is gone."))


async def _context(session: AsyncSession, actor: Scope) -> dict[str, Any]:
    found = await labels(await raw(session), actor)
    return {"labels": list(found.values()), "hues": range(HUES)}


ROUTES = [index, create, change, remove]
