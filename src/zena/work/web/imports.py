"""The import wizard: choose a file, say what its columns are, look at what would happen, do it."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.errors import Invalid, TooLarge
from zena.kit.html import AnyRequest, page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.work.imports.actions import (
    access_import,
    apply_import,
    check_import,
    content_of,
    start_import,
)
from zena.work.imports.columns import LABELS
from zena.work.imports.table import read_table
from zena.work.imports.upload import chunks, intake_of, sent_file
from zena.work.models import ImportRun
from zena.work.queries.pages import project_by_key
from zena.work.web.forms import words

START, MAPPING = "imports/start.html", "imports/mapping.html"
SAMPLES = 3
#: Read before anything is changed: a refusal rolls back, and the row with it.
SHOWN = ("id", "file_name", "state", "mapping", "rows_done")


@get("/projects/{project_key:str}/imports", opt=may(Permission.IMPORTS_CREATE))
async def start(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    project = await project_by_key(await raw(session), actor, project_key)
    return await page(request, session, START, project=project, limits=intake_of(state_of(request)))


@post("/projects/{project_key:str}/imports", opt=may(Permission.IMPORTS_CREATE), status_code=303)
async def upload(request: AnyRequest, session: AsyncSession, actor: Scope, project_key: FromPath[str]) -> Response[str]:
    state = state_of(request)
    project = await project_by_key(await raw(session), actor, project_key)
    form = await request.form()
    context: dict[str, Any] = {"project": project, "limits": intake_of(state)}
    async with refusing(request, session, START, {}, catch=(Invalid, TooLarge), **context):
        file = sent_file(form)
        run, _ = await start_import(
            session,
            actor,
            project_id=project.id,
            content=chunks(file),
            file_name=file.filename,
            intake=intake_of(state),
        )
    return see_other(request, f"/imports/{run.id}")


@get("/imports/{import_id:uuid}", opt=may(Permission.IMPORTS_CREATE))
async def mapping(request: AnyRequest, session: AsyncSession, actor: Scope, import_id: FromPath[UUID]) -> Response[str]:
    run = await access_import(session, actor, import_id)
    return await page(request, session, MAPPING, **await _context(request, session, actor, run))


@post("/imports/{import_id:uuid}/check", opt=may(Permission.IMPORTS_CREATE), status_code=303)
async def check(request: AnyRequest, session: AsyncSession, actor: Scope, import_id: FromPath[UUID]) -> Response[str]:
    state = state_of(request)
    form = await request.form()
    run = await access_import(session, actor, import_id)
    context = await _context(request, session, actor, run)
    async with refusing(request, session, MAPPING, form, form="mapping", **context):
        columns = context["header"]
        chosen = {name: words(form, f"column-{place}") for place, name in enumerate(columns)}
        given = {name: target for name, target in chosen.items() if target}
        await check_import(session, actor, import_id=import_id, intake=intake_of(state), mapping=given)
    return see_other(request, f"/imports/{import_id}")


@post("/imports/{import_id:uuid}/application", opt=may(Permission.IMPORTS_CREATE), status_code=303)
async def apply(request: AnyRequest, session: AsyncSession, actor: Scope, import_id: FromPath[UUID]) -> Response[str]:
    state = state_of(request)
    run = await access_import(session, actor, import_id)
    context = await _context(request, session, actor, run)
    async with refusing(request, session, MAPPING, {}, form="application", **context):
        run = await apply_import(session, actor, import_id=import_id, intake=intake_of(state))
    if run.state != "applied":
        return see_other(request, f"/imports/{import_id}")
    done = N_("%(count)s tasks are imported.", count=run.rows_done)
    return see_other(request, f"/projects/{context['project_key']}", toast=done)


async def _context(request: AnyRequest, session: AsyncSession, actor: Scope, run: ImportRun) -> dict[str, Any]:
    state = state_of(request)
    conn = await raw(session)
    key = await conn.fetchval("SELECT key FROM project WHERE tenant_id = $1 AND id = $2", actor.tenant, run.project_id)
    content = await content_of(state.storage, run.file_key, run.sha256)
    table = read_table(content, max_rows=state.settings.import_max_rows)
    return {
        "run": {name: getattr(run, name) for name in SHOWN},
        "report": run.report,
        "project_key": key,
        "header": table.header,
        "samples": [[cells[place] for _, cells in table.rows[:SAMPLES]] for place in range(len(table.header))],
        "targets": list(LABELS.items()),
    }


ROUTES = [start, upload, mapping, check, apply]
