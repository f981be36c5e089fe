"""The hot reads of tasks: a page of a list, one task, the trash. Raw driver, JSON made by the database."""

from uuid import UUID

from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.pages import Cursors, Key
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.listing import Listing, fetch_page
from zena.work.queries.parameters import choice
from zena.work.queries.projects import check_project_seen
from zena.work.queries.shapes import task_json
from zena.work.queries.sight import project_sight, task_sight
from zena.work.queries.wanted import Wanted, conditions

LIVE = "t.deleted_at IS NULL"
JOINED = "task t JOIN project p ON p.tenant_id = t.tenant_id AND p.id = t.project_id"
#: The project is looked up once, before the tasks: the planner then walks the tasks' index alone.
BESIDE = "task t CROSS JOIN (SELECT k.key FROM project k WHERE k.tenant_id = $1 AND k.id = $2) p"


async def project_tasks(conn: Raw, scope: Scope, cursors: Cursors, project_id: UUID, wanted: Wanted) -> bytes:
    """Return a page of a project's tasks; 404 for a project the actor cannot see."""
    bound = Bound([scope.tenant, project_id])
    seen = (
        "SELECT s.id FROM project s WHERE s.tenant_id = $1 AND s.id = $2 AND s.deleted_at IS NULL"  # noqa: S608 - bound
        f" AND {project_sight(scope, bound, 's')}"
    )
    where = [
        f"t.tenant_id = $1 AND t.project_id = ({seen})",
        LIVE,
        task_sight(scope),
        *conditions(wanted, scope, bound),
    ]
    page = await fetch_page(conn, cursors, _listing(f"{scope.tenant}:{project_id}", BESIDE, where, bound, wanted))
    if not page.rows:
        await check_project_seen(conn, scope, project_id)
    return page.body


async def all_tasks(conn: Raw, scope: Scope, cursors: Cursors, wanted: Wanted) -> bytes:
    """Return a page of the tasks of every project the actor sees; those of archived ones with `archived=true` only."""
    archived = choice(wanted.given.get("archived", "false"), "archived", ("true", "false")) == "true"
    bound = Bound([scope.tenant])
    where = ["t.tenant_id = $1", LIVE, task_sight(scope), *conditions(wanted, scope, bound)]
    where += ["p.deleted_at IS NULL", project_sight(scope, bound)]
    if not archived:
        where.append("p.status <> 'archived'")
    name = f"{scope.tenant}:all"
    return (await fetch_page(conn, cursors, _listing(name, JOINED, where, bound, wanted))).body


async def trashed_tasks(conn: Raw, scope: Scope, cursors: Cursors, limit: int, cursor: str | None) -> bytes:
    """Return a page of the trash, last thrown away first. Sub-tasks that went with their task are not listed."""
    bound = Bound([scope.tenant])
    where = ["t.tenant_id = $1 AND t.deleted_at IS NOT NULL AND t.deleted_with = t.id", task_sight(scope)]
    where += [project_sight(scope, bound)]
    keys = [Key("t.deleted_at", descending=True), Key("t.id", descending=True)]
    name, body = f"{scope.tenant}:task trash", task_json(whole=True)
    return (await fetch_page(conn, cursors, Listing(name, JOINED, where, bound, body, keys, limit, cursor))).body


async def one_task(conn: Raw, scope: Scope, task_id: UUID, *, trashed: bool = False) -> tuple[bytes, int]:
    """Return a task as JSON and its version; 404 unless the actor sees it. `trashed` finds it in the trash as well."""
    bound = Bound([scope.tenant, task_id])
    where = ["t.tenant_id = $1 AND t.id = $2", "p.deleted_at IS NULL", task_sight(scope), project_sight(scope, bound)]
    if not trashed:
        where.append(LIVE)
    row = await conn.fetchrow(_one(where), *bound.values)
    if row is None:
        raise NotFound.of("task", task_id)
    return row[0].encode(), row[1]


async def task_by_key(conn: Raw, scope: Scope, key: str) -> tuple[bytes, int]:
    """Return the task that people call HBR-142, in any case of letters; 404 unless the actor sees it."""
    project, _, number = key.upper().rpartition("-")
    if not number.isascii() or not number.isdecimal() or len(number) > 15:  # noqa: PLR2004 - longer than any number
        raise NotFound.of("task")
    bound = Bound([scope.tenant, project, int(number)])
    where = ["p.tenant_id = $1 AND p.key = $2 AND t.number = $3", LIVE, "p.deleted_at IS NULL"]
    row = await conn.fetchrow(_one([*where, task_sight(scope), project_sight(scope, bound)]), *bound.values)
    if row is None:
        raise NotFound.of("task", key)
    return row[0].encode(), row[1]


def _one(where: list[str]) -> str:
    return f"SELECT {task_json(whole=True)}, t.version FROM {JOINED} WHERE {' AND '.join(where)}"  # noqa: S608 - bound


def _listing(name: str, source: str, where: list[str], bound: Bound, wanted: Wanted) -> Listing:
    return Listing(
        name=f"{name}:{wanted.name}",
        source=source,
        where=where,
        bound=bound,
        body=task_json(),
        keys=wanted.keys,
        limit=wanted.limit,
        cursor=wanted.cursor,
        count=wanted.count,
    )
