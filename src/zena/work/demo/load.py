"""Loading the demonstration firm, once: a second call finds it there and changes nothing."""

import random
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts import facade as accounts
from zena.kit.db import Database
from zena.kit.events import record
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.uow import enter_tenant, unit_of_work
from zena.work.actions.comments import create_comment
from zena.work.actions.insert import insert_tasks
from zena.work.actions.labels import create_label
from zena.work.actions.lifecycle import set_project_status
from zena.work.actions.members import set_project_member
from zena.work.actions.planned import NewTask
from zena.work.actions.projects import create_project
from zena.work.demo.content import COMMENTS, FIRM, LABELS, PEOPLE, SITES, SLUG, Site
from zena.work.demo.plan import SEED, Cast, lay_out
from zena.work.events import ImportApplied

DOMAIN = "meridian.example"
OWNER = f"{PEOPLE[0][0]}@{DOMAIN}"
#: Tasks of one insert when the firm is made large.
BATCH = 5_000
#: Share of the comments that clients do not see.
INTERNAL = 0.2
BULK_KEY = "BULK"

_FIND = text("SELECT gate.tenant_by_slug(:slug)")


async def load_demo(db: Database, *, at: datetime, tasks: int | None = None) -> str:
    """Make the firm if it is not there; with `tasks`, add a project of that many. Return its owner's address."""
    async with unit_of_work(db) as session:
        tenant: UUID | None = await session.scalar(_FIND, {"slug": SLUG})
        if tenant is None:
            await _found(session, at)
    if tasks:
        await _grow(db, at, tasks)
    return OWNER


async def _found(session: AsyncSession, at: datetime) -> None:
    owner = await accounts.create_user(session, email=OWNER, name=PEOPLE[0][1])
    scope = await accounts.create_tenant(session, name=FIRM, owner=owner, at=at, slug=SLUG)
    members = {PEOPLE[0][0]: scope.member}
    for local, name, role in PEOPLE[1:]:
        user = await accounts.create_user(session, email=f"{local}@{DOMAIN}", name=name)
        members[local] = await accounts.add_member(session, scope, user=user, role=role)
    await enter_tenant(session, scope.tenant, owner)
    labels = {name: (await create_label(session, scope, name=name, hue=hue)).id for name, hue in LABELS}
    crew = [members[local] for local, _, role in PEOPLE if role in {"owner", "pm", "member"}]
    cast = Cast([member for member in crew if member], labels)
    for place, site in enumerate(SITES):
        leader = members["minh.le" if place != 1 else "mai.pham"]
        await _build(session, scope, site, cast, leader, members["client.harbour"] if place == 0 else None)


async def _build(
    session: AsyncSession, scope: Scope, site: Site, cast: Cast, leader: UUID | None, client: UUID | None
) -> None:
    today = scope.today
    project = await create_project(
        session,
        scope,
        name=site.name,
        key=site.key,
        description=site.description,
        priority=site.priority,
        risk_level=site.risk,
        start_on=today + timedelta(days=site.start),
        end_on=today + timedelta(days=site.end),
        owner_id=leader,
        budget_planned=site.budget,
        budget_actual=site.spent,
    )
    for member in cast.crew:
        role = "manager" if member == leader else "contributor"
        await set_project_member(session, scope, project_id=project.id, member_id=member, role=role)
    if client is not None:
        await set_project_member(session, scope, project_id=project.id, member_id=client, role="viewer")
    await set_project_status(session, scope, project_id=project.id, status=site.status)
    laid = lay_out(site, cast, today)
    await insert_tasks(session, scope, project_id=project.id, tasks=laid.tasks, links=laid.links)
    loaded = ImportApplied(
        subject=project.id, project=project.id, file="demo", tasks=len(laid.tasks), dependencies=len(laid.links)
    )
    record(session, scope, loaded)
    await _talk(session, scope, [task for task in laid.tasks if task.status in {"in_progress", "blocked"}])


async def _talk(session: AsyncSession, scope: Scope, tasks: list[NewTask]) -> None:
    chance = random.Random(SEED)  # noqa: S311 - not a secret
    for task in chance.sample(tasks, min(len(tasks), len(COMMENTS))):
        await create_comment(
            session, scope, task_id=task.id, body=chance.choice(COMMENTS), internal=chance.random() < INTERNAL
        )


async def _grow(db: Database, at: datetime, count: int) -> None:
    """Add plain tasks in batches, each in its own transaction: a large firm to try speed on."""
    scope, project = await _bulk_project(db, at)
    for first in range(0, count, BATCH):
        async with unit_of_work(db) as session:
            await enter_tenant(session, scope.tenant, scope.user)
            some = [_plain(scope, number) for number in range(first, min(first + BATCH, count))]
            await insert_tasks(session, scope, project_id=project, tasks=some)
            done = ImportApplied(subject=project, project=project, file="demo", tasks=len(some), dependencies=0)
            record(session, scope, done)


async def _bulk_project(db: Database, at: datetime) -> tuple[Scope, UUID]:
    async with unit_of_work(db) as session:
        tenant = await session.scalar(_FIND, {"slug": SLUG})
        user = await session.scalar(text("SELECT gate.user_by_email(:email)"), {"email": OWNER})
        await enter_tenant(session, tenant, user)
        scope = await accounts.member_scope(session, tenant=tenant, user=user, at=at)
        found = text("SELECT id FROM project WHERE tenant_id = :tenant AND key = :key")
        project: UUID | None = await session.scalar(found, {"tenant": tenant, "key": BULK_KEY})
        if project is None:
            made = await create_project(session, scope, name="Bulk programme", key=BULK_KEY)
            await set_project_status(session, scope, project_id=made.id, status="active")
            project = made.id
    return scope, project


def _plain(scope: Scope, number: int) -> NewTask:
    day = scope.today + timedelta(days=number % 400 - 100)
    status = ("backlog", "backlog", "in_progress", "done")[number % 4]
    return NewTask(
        id=new_id(),
        name=f"Install item {number + 1}, zone {number % 40 + 1}",
        status=status,
        due_on=day,
        estimate_min=60 * (number % 16 + 1),
        progress=100 if status == "done" else 0,
        closed_at=scope.at - timedelta(days=number % 60) if status == "done" else None,
        started_at=scope.at - timedelta(days=number % 60 + 3) if status != "backlog" else None,
    )
