"""Imports over the API: upload, check, apply."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.scope import Scope
from zena.kit.state import state_of
from zena.work.api.answers import UploadOperation
from zena.work.imports.actions import access_import, apply_import, check_import, start_import
from zena.work.imports.upload import chunks, intake_of, sent_file
from zena.work.models import ImportRun


class Mapping(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Column name -> what it becomes; left out keeps the mapping as it is."""

    mapping: dict[str, str] | None = None


class ImportReport(msgspec.Struct, frozen=True):
    """An import as it stands. `report` names every mistake by line, column, code, message and value."""

    id: UUID
    project_id: UUID
    file_name: str
    state: str
    rows: int
    mapping: dict[str, str]
    report: dict[str, Any]
    applied_at: datetime | None


@post(
    "/api/v1/app/projects/{project_id:uuid}/imports",
    opt=may(Permission.IMPORTS_CREATE),
    operation_class=UploadOperation,
)
async def upload(
    request: Request[Any, Any, Any], session: AsyncSession, actor: Scope, project_id: FromPath[UUID]
) -> Response[ImportReport]:
    """Upload a CSV or XLSX file as the multipart field `file`; the columns are guessed, nothing is imported yet."""
    state = state_of(request)
    file = sent_file(await request.form())
    run, _ = await start_import(
        session,
        actor,
        project_id=project_id,
        content=chunks(file),
        file_name=file.filename,
        intake=intake_of(state),
    )
    return Response(_shown(run), status_code=201, headers={"Location": f"/api/v1/app/imports/{run.id}"})


@get("/api/v1/app/imports/{import_id:uuid}", opt=may(Permission.IMPORTS_CREATE))
async def show(session: AsyncSession, actor: Scope, import_id: FromPath[UUID]) -> ImportReport:
    """One import as it stands."""
    return _shown(await access_import(session, actor, import_id))


@post("/api/v1/app/imports/{import_id:uuid}/check", opt=may(Permission.IMPORTS_CREATE), status_code=200)
async def check(
    request: Request[Any, Any, Any], session: AsyncSession, actor: Scope, import_id: FromPath[UUID], data: Mapping
) -> ImportReport:
    """Try an import: the report names every mistake, no task changes."""
    state = state_of(request)
    run = await check_import(
        session,
        actor,
        import_id=import_id,
        intake=intake_of(state),
        mapping=data.mapping,
    )
    return _shown(run)


@post("/api/v1/app/imports/{import_id:uuid}/application", opt=may(Permission.IMPORTS_CREATE), status_code=200)
async def apply(
    request: Request[Any, Any, Any], session: AsyncSession, actor: Scope, import_id: FromPath[UUID]
) -> ImportReport:
    """Make all tasks of the file, or none: with mistakes the state stays `checked` and the report names them."""
    state = state_of(request)
    run = await apply_import(session, actor, import_id=import_id, intake=intake_of(state))
    return _shown(run)


def _shown(run: ImportRun) -> ImportReport:
    return ImportReport(
        id=run.id,
        project_id=run.project_id,
        file_name=run.file_name,
        state=run.state,
        rows=run.rows_total,
        mapping=run.mapping,
        report=run.report,
        applied_at=run.applied_at,
    )


ROUTES = [upload, show, check, apply]
