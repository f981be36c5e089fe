"""An import's way: uploaded, mapped and checked, applied. One file is one transaction: all of it or nothing."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.errors import Conflict, NotFound
from zena.kit.events import record
from zena.kit.i18n import N_, translate
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.storage import Storage
from zena.kit.text import clean_name
from zena.work.actions.insert import insert_tasks
from zena.work.actions.labels import create_label
from zena.work.actions.planned import NewLink, NewTask
from zena.work.events import ImportApplied
from zena.work.imports.columns import Target, check_mapping, guess
from zena.work.imports.plan import Plan, Planned, plan
from zena.work.imports.resolve import Resolved, resolve
from zena.work.imports.table import Table, read_table
from zena.work.models import ImportRun
from zena.work.policy import access_project

PREVIEW = 5
#: Set when a row is blocked or canceled and the file cannot say why.
REASON = "as imported"


@dataclass(frozen=True, slots=True)
class Intake:
    """Where files go, and what one may be: rows, and bytes."""

    storage: Storage
    max_rows: int
    max_bytes: int


async def start_import(
    session: AsyncSession,
    scope: Scope,
    *,
    project_id: UUID,
    intake: Intake,
    content: AsyncIterable[bytes],
    file_name: str,
) -> tuple[ImportRun, Table]:
    """Store an uploaded file and read its header; the mapping is guessed. Nothing is imported yet."""
    scope.require(Permission.IMPORTS_CREATE)
    project = await access_project(session, scope, project_id, Permission.TASKS_CREATE)
    called = clean_name(file_name or "file", "file")
    stored = await intake.storage.put(content, tenant=scope.tenant, limit=intake.max_bytes)
    try:
        table = read_table(await content_of(intake.storage, stored.key), max_rows=intake.max_rows)
    except BaseException:
        await intake.storage.delete(stored.key)
        raise
    run = ImportRun(
        tenant_id=scope.tenant,
        id=new_id(),
        project_id=project.id,
        created_by=scope.member,
        file_name=called,
        file_key=stored.key,
        sha256=stored.sha256,
        size=stored.size,
        mapping=guess(table.header),
        state="uploaded",
        rows_total=len(table.rows),
        report={},
        created_at=scope.at,
        version=1,
    )
    session.add(run)
    await session.flush()
    return run, table


async def check_import(
    session: AsyncSession,
    scope: Scope,
    *,
    import_id: UUID,
    intake: Intake,
    mapping: Mapping[str, str] | None = None,
) -> ImportRun:
    """Try the import without changing a task: the report names every mistake by line, column and code."""
    run = await access_import(session, scope, import_id)
    _check_pending(run)
    if mapping is not None:
        run.mapping = dict(mapping)
    found, _ = await _planned(session, scope, run, intake)
    run.state, run.report = "checked", report_of(found, scope.locale)
    await session.flush()
    return run


async def apply_import(session: AsyncSession, scope: Scope, *, import_id: UUID, intake: Intake) -> ImportRun:
    """Make all tasks and links of the file, or none: with any mistake the run keeps the report and nothing changes."""
    run = await access_import(session, scope, import_id)
    _check_pending(run)
    found, resolved = await _planned(session, scope, run, intake)
    run.report = report_of(found, scope.locale)
    if found.mistakes:
        run.state = "checked"
        await session.flush()
        return run
    await apply_plan(session, scope, project_id=run.project_id, found=found, resolved=resolved)
    run.state, run.applied_at, run.rows_done = "applied", scope.at, len(found.tasks)
    happened = ImportApplied(
        subject=run.id, project=run.project_id, file=run.file_name, tasks=len(found.tasks), dependencies=found.links
    )
    record(session, scope, happened)
    await session.flush()
    return run


async def apply_file(
    session: AsyncSession,
    scope: Scope,
    *,
    project_id: UUID,
    table: Table,
    places: Mapping[Target, int],
    dry_run: bool = False,
) -> Plan:
    """Import a table that was read elsewhere: all of it or nothing. The plan returned holds the mistakes."""
    scope.require(Permission.IMPORTS_CREATE)
    found = plan(table, places)
    columns = {target: table.header[place] for target, place in places.items()}
    resolved = await resolve(session, scope, found, columns)
    if found.mistakes or dry_run:
        return found
    await apply_plan(session, scope, project_id=project_id, found=found, resolved=resolved)
    happened = ImportApplied(
        subject=new_id(), project=project_id, file="command", tasks=len(found.tasks), dependencies=found.links
    )
    record(session, scope, happened)
    return found


async def apply_plan(session: AsyncSession, scope: Scope, *, project_id: UUID, found: Plan, resolved: Resolved) -> None:
    for key, word in resolved.new_labels.items():
        resolved.labels[key] = (await create_label(session, scope, name=word, hue=len(resolved.labels) % 12)).id
    tasks = [_new_task(task, resolved) for task in _parents_first(found)]
    links = [
        NewLink(resolved.ids[ref], resolved.ids[task.ref], kind, lag)
        for task in found.tasks
        for ref, kind, lag in task.predecessors
    ]
    await insert_tasks(session, scope, project_id=project_id, tasks=tasks, links=links)


async def access_import(session: AsyncSession, scope: Scope, import_id: UUID) -> ImportRun:
    """Fetch an import the actor may go on with, locked."""
    query = select(ImportRun).where(ImportRun.tenant_id == scope.tenant, ImportRun.id == import_id)
    run = await session.scalar(query.with_for_update())
    if run is None:
        raise NotFound.of("import")
    scope.require(Permission.IMPORTS_CREATE)
    await access_project(session, scope, run.project_id, Permission.TASKS_CREATE)
    return run


async def content_of(storage: Storage, key: str, sha256: str | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, sha256=sha256)])


def report_of(found: Plan, locale: str) -> dict[str, Any]:
    """Return what is kept and shown of a plan, its sentences in the language of whoever asked."""
    return {
        "tasks": len(found.tasks),
        "dependencies": found.links,
        "mistakes": found.mistakes,
        "errors": [{**msgspec.structs.asdict(one), "message": translate(one.message, locale)} for one in found.errors],
        "preview": [{"line": t.line, "ref": t.ref, "name": t.name, "parent": t.parent} for t in found.tasks[:PREVIEW]],
    }


def _check_pending(run: ImportRun) -> None:
    if run.state == "applied":
        raise Conflict(N_("This file was imported already."))


async def _planned(session: AsyncSession, scope: Scope, run: ImportRun, intake: Intake) -> tuple[Plan, Resolved]:
    table = read_table(await content_of(intake.storage, run.file_key, run.sha256), max_rows=intake.max_rows)
    places = check_mapping(table.header, run.mapping)
    found = plan(table, places)
    columns: dict[Target, str] = {target: table.header[place] for target, place in places.items()}
    return found, await resolve(session, scope, found, columns)


def _parents_first(found: Plan) -> list[Planned]:
    """Keep the file's order where it can be kept: a row whose parent stands below it comes after that parent."""
    by_ref = {task.ref: task for task in found.tasks}
    placed: dict[str, Planned] = {}
    for task in found.tasks:
        chain: list[Planned] = []
        current: Planned | None = task
        while current is not None and current.ref not in placed:
            chain.append(current)
            current = by_ref[current.parent] if current.parent else None
        for one in reversed(chain):
            placed[one.ref] = one
    return list(placed.values())


def _new_task(task: Planned, resolved: Resolved) -> NewTask:
    return NewTask(
        id=resolved.ids[task.ref],
        name=task.name,
        description=task.description,
        status=task.status,
        priority=task.priority,
        parent_id=resolved.ids[task.parent] if task.parent else None,
        start_on=task.start,
        due_on=task.due,
        estimate_min=task.estimate,
        progress=task.progress,
        assignees=[resolved.members[email] for email in task.assignees],
        labels=list(dict.fromkeys(resolved.labels[word.lower()] for word in task.labels)),
        reason=REASON if task.status in {"blocked", "canceled"} else None,
    )
