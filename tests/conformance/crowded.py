"""A firm that has `many` of everything a page can list: to see what ten and two hundred cost."""

import secrets
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg
import httpx

from tests.conformance.crawl import form_headers
from tests.conformance.scene import APP
from tests.factories import Firm, make_firm
from tests.work.making import made_project
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.facade import NewLink, NewTask, insert_tasks

_PEOPLE = """
WITH people AS (INSERT INTO user_account (id, email, name)
                SELECT gen_random_uuid(), 'p' || n || '@' || $2 || '.test', 'Person ' || n FROM generate_series(1, $3) n
                RETURNING id)
INSERT INTO membership (tenant_id, id, user_id, role) SELECT $1, gen_random_uuid(), id, 'member' FROM people"""
_SESSIONS = """
INSERT INTO session (id, user_id, token_hash, form_secret, expires_at, idle_seconds)
SELECT gen_random_uuid(), $1, decode(md5($2 || n), 'hex'), '\\x00', now() + interval '1 day', 86400
  FROM generate_series(1, $3) n"""
_INVITATIONS = """
INSERT INTO invitation (tenant_id, id, email, role, token_hash, expires_at)
SELECT $1, gen_random_uuid(), 'guest' || n || '@guest.test', 'member', decode(md5(n::text), 'hex'),
       now() + interval '1 day' FROM generate_series(1, $2) n"""
_TOKENS = """
INSERT INTO api_token (tenant_id, id, member_id, name, prefix, token_hash, scopes, expires_at)
SELECT $1, gen_random_uuid(), $2, 'Crane ' || n, 'zena', decode(md5(n::text), 'hex'), '{tasks.view}',
       now() + interval '1 day' FROM generate_series(1, $3) n"""
_LABELS = """
INSERT INTO label (tenant_id, id, name, name_key, hue, version)
SELECT $1, gen_random_uuid(), 'Label ' || n, 'label ' || n, n % 12, 1 FROM generate_series(1, $2) n RETURNING id"""
_COMMENTS = """
INSERT INTO comment (tenant_id, id, task_id, author_id, body, internal, pinned, created_at, version)
SELECT $1, gen_random_uuid(), $2, $3, 'Said ' || n, false, false, now(), 1 FROM generate_series(1, $4) n"""


@dataclass(slots=True)
class Crowded:
    """Where to look in it."""

    firm: Firm
    ids: dict[str, str]


async def crowded(state: State, http: httpx.AsyncClient, urls: ClusterUrls, many: int) -> Crowded:
    firm = await make_firm(state.db)
    ops = await asyncpg.connect(urls.ops)
    try:
        labels = await _accounts(ops, firm, many)
        projects = [await made_project(state, firm, by="owner", name=f"Project {n}") for n in range(many)]
        tasks = await _tasks(state, firm, projects[0], labels, many)
        owner = firm.people[Role.OWNER]
        await ops.execute(_COMMENTS, firm.tenant, tasks[0], owner.member, many)
        await ops.execute("ANALYZE")
    finally:
        await ops.close()
    gone = await firm.client(http).post(
        f"{APP}/tasks/bulk", json={"ids": [str(one) for one in tasks[-many:]], "trash": True}
    )
    assert gone.status_code == 200, gone.text
    project = (await firm.client(http).get(f"{APP}/projects/{projects[0]}")).json()
    ids = {"project_id": str(projects[0]), "project_key": project["key"], "task_id": str(tasks[0])}
    ids["task_key"] = f"{project['key']}-1"
    ids["import_id"] = await _upload(http, firm, ids["project_id"], many)
    return Crowded(firm, ids)


async def _accounts(ops: asyncpg.Connection, firm: Firm, many: int) -> list[UUID]:
    owner = firm.people[Role.OWNER]
    await ops.execute(_PEOPLE, firm.tenant, firm.slug, many)
    await ops.execute(_SESSIONS, owner.user, secrets.token_hex(8), many)
    await ops.execute(_INVITATIONS, firm.tenant, many)
    await ops.execute(_TOKENS, firm.tenant, owner.member, many)
    return [row["id"] for row in await ops.fetch(_LABELS, firm.tenant, many)]


async def _tasks(state: State, firm: Firm, project: UUID, labels: list[UUID], many: int) -> list[UUID]:
    """One task with sub-tasks that waits for others, and as many again to be thrown away."""
    owner, scope = firm.people[Role.OWNER].member, firm.scope("owner")
    first = NewTask(id=new_id(), name="First", assignees=[owner], labels=labels[:40], due_on=date(2026, 1, 1))
    rows = [first]
    for n in range(2 * many):
        parent = first.id if n % 2 and n < many else None
        chosen = [labels[n % len(labels)]]
        rows.append(NewTask(id=new_id(), name=f"Task {n}", parent_id=parent, assignees=[owner], labels=chosen))
    links = [NewLink(row.id, first.id) for row in rows[2 : many + 1 : 2]][:90]
    async with tenant_work(state.db, scope) as session:
        await insert_tasks(session, scope, project_id=project, tasks=rows, links=links)
    return [row.id for row in rows]


async def _upload(http: httpx.AsyncClient, firm: Firm, project: str, many: int) -> str:
    speaker = firm.client(http)
    content = "name,due\n" + "".join(f"Row {n},2026-05-01\n" for n in range(many))
    files = {"file": ("plan.csv", content.encode(), "text/csv")}
    answer = await speaker.post(f"{APP}/projects/{project}/imports", files=files, headers=form_headers(speaker))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
