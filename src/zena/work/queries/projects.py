"""Reads of projects: the list, one project, its people, the trash."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from zena.accounts.permissions import Permission
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.pages import Cursors, Key, page_limit
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.listing import Listing, fetch_page
from zena.work.queries.parameters import choices, like, number, once
from zena.work.queries.shapes import project_json, project_sums
from zena.work.queries.sight import is_client, project_sight

STATUSES: Final = ("planning", "active", "on_hold", "completed", "cancelled", "archived")
SORTS: Final = {
    "position": [Key("p.position"), Key("p.id")],
    "name": [Key("p.sort_key"), Key("p.id")],
    "key": [Key("p.key"), Key("p.id")],
    "end_on": [Key("p.end_on", nullable=True), Key("p.id")],
    "updated_at": [Key("p.updated_at"), Key("p.id")],
    "created_at": [Key("p.id")],
}
PARAMETERS: Final = {
    "status": "Only these statuses, separated by commas: " + ", ".join(STATUSES) + ". Archived ones only when named.",
    "mine": "`true`: only projects the caller owns or is a project member of",
    "q": "Words of the name, or a key",
    "sort": "One of " + ", ".join(SORTS) + "; with a leading minus, descending",
    "limit": "Rows per page, 1 to 100; 50 when absent",
    "cursor": "`page.next` of the page before",
    "count": "`1` adds `page.total`",
}


class WantedProjects(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a list of projects."""

    status: Sequence[str] | None = None
    mine: bool = False
    q: str | None = None
    sort: str = "position"
    limit: int = 50
    cursor: str | None = None
    count: bool = False


def wanted_projects(params: Sequence[tuple[str, str]]) -> WantedProjects:
    """Read query parameters; 422 naming the one that is unknown, repeated, empty or wrong."""
    given = once(params, PARAMETERS.keys())
    for name, allowed in (("count", ("0", "1")), ("mine", ("true", "false"))):
        choices(given.get(name, allowed[0]), name, allowed)
    sort = given.get("sort", "position")
    choices(sort.removeprefix("-"), "sort", tuple(SORTS))
    return WantedProjects(
        status=choices(given["status"], "status", STATUSES) if "status" in given else None,
        mine=given.get("mine") == "true",
        q=given.get("q"),
        sort=sort,
        limit=page_limit(number(given["limit"], "limit") if "limit" in given else None),
        cursor=given.get("cursor"),
        count=given.get("count") == "1",
    )


async def list_projects(conn: Raw, scope: Scope, cursors: Cursors, wanted: WantedProjects) -> bytes:
    """Return a page of the projects the actor sees; archived ones only when the status filter names them."""
    bound = Bound([scope.tenant])
    where = ["p.tenant_id = $1", "p.deleted_at IS NULL", project_sight(scope, bound)]
    where.append(f"p.status = ANY({bound.mark(wanted.status)})" if wanted.status else "p.status <> 'archived'")
    if wanted.mine:
        me = bound.mark(scope.member)
        mine = f"SELECT 1 FROM project_member x WHERE x.tenant_id = $1 AND x.project_id = p.id AND x.member_id = {me}"  # noqa: S608 - our own names; values are bound
        where.append(f"(p.owner_id = {me} OR EXISTS ({mine}))")
    if wanted.q is not None:
        where.append(f"(p.name ILIKE {bound.mark(like(wanted.q, 'q'))} OR p.key = {bound.mark(wanted.q.upper())})")
    keys = SORTS[wanted.sort.removeprefix("-")]
    if wanted.sort.startswith("-"):
        keys = [Key(key.column, descending=True, nullable=key.nullable) for key in keys]
    name = f"{scope.tenant}:projects:{wanted.sort}:{wanted.status}:{wanted.mine}:{wanted.q}"
    return await _page(conn, scope, cursors, _Part(name, where, bound, keys), wanted)


class _Part(msgspec.Struct, frozen=True):
    name: str
    where: list[str]
    bound: Bound
    keys: list[Key]


async def trashed_projects(conn: Raw, scope: Scope, cursors: Cursors, limit: int, cursor: str | None) -> bytes:
    """Return a page of the projects in the trash, last thrown away first."""
    bound = Bound([scope.tenant])
    where = ["p.tenant_id = $1", "p.deleted_at IS NOT NULL", project_sight(scope, bound)]
    keys = [Key("p.deleted_at", descending=True), Key("p.id", descending=True)]
    part = _Part(f"{scope.tenant}:project trash", where, bound, keys)
    return await _page(conn, scope, cursors, part, WantedProjects(limit=limit, cursor=cursor))


async def one_project(conn: Raw, scope: Scope, project_id: UUID, *, trashed: bool = False) -> tuple[bytes, int]:
    """Return a project as JSON and its version; 404 unless the actor sees it. `trashed` finds it in the trash too."""
    bound = Bound([scope.tenant, project_id])
    where = ["p.tenant_id = $1 AND p.id = $2", project_sight(scope, bound)]
    if not trashed:
        where.append("p.deleted_at IS NULL")
    body, source = _seen_as(scope, bound, whole=True)
    text = f"SELECT {body}, p.version FROM {source} WHERE {' AND '.join(where)}"  # noqa: S608 - values are bound
    row = await conn.fetchrow(text, *bound.values)
    if row is None:
        raise NotFound.of("project", project_id)
    return row[0].encode(), row[1]


async def check_project_seen(conn: Raw, scope: Scope, project_id: UUID) -> None:
    """Refuse with 404 a project that is not there or that the actor cannot see."""
    bound = Bound([scope.tenant, project_id])
    where = f"p.tenant_id = $1 AND p.id = $2 AND p.deleted_at IS NULL AND {project_sight(scope, bound)}"
    if not await conn.fetchval(f"SELECT true FROM project p WHERE {where}", *bound.values):  # noqa: S608 - bound
        raise NotFound.of("project", project_id)


async def project_members(conn: Raw, scope: Scope, project_id: UUID) -> bytes:
    """Return a project's people, managers first, as `{"data": [...]}`."""
    await check_project_seen(conn, scope, project_id)
    body = await conn.fetchval(_MEMBERS, scope.tenant, project_id)
    return b'{"data":%s}' % body.encode()


_MEMBERS: Final = """
SELECT coalesce(json_agg(row_to_json(x) ORDER BY n), '[]')::text
  FROM (SELECT row_number() OVER (ORDER BY array_position(ARRAY['manager', 'contributor', 'viewer'], m.role),
                                           u.sort_key, m.member_id) AS n,
               m.member_id, u.name, f.role AS firm_role, m.role, m.added_at
          FROM project_member m
          JOIN membership f ON f.tenant_id = m.tenant_id AND f.id = m.member_id
          JOIN user_account u ON u.id = f.user_id
         WHERE m.tenant_id = $1 AND m.project_id = $2 AND f.ended_at IS NULL) y
 CROSS JOIN LATERAL (SELECT y.member_id, y.name, y.firm_role, y.role, y.added_at) x"""


def _seen_as(scope: Scope, bound: Bound, *, whole: bool = False) -> tuple[str, str]:
    """Return the JSON expression and the source that show a project as this actor may see it."""
    cost, inside = bound.mark(scope.may(Permission.COST_VIEW)), bound.mark(not is_client(scope))
    member, today = bound.mark(scope.member), bound.mark(scope.today)
    return project_json(
        f"{cost}::bool", f"{inside}::bool", whole=whole
    ), f"project p{project_sums('$1', member, today)}"


async def _page(conn: Raw, scope: Scope, cursors: Cursors, part: _Part, wanted: WantedProjects) -> bytes:
    body, source = _seen_as(scope, part.bound)
    listing = Listing(
        name=part.name,
        source=source,
        where=part.where,
        bound=part.bound,
        body=body,
        keys=part.keys,
        limit=wanted.limit,
        cursor=wanted.cursor,
        count=wanted.count,
    )
    return (await fetch_page(conn, cursors, listing)).body


async def project_state(conn: Raw, scope: Scope, project_id: UUID) -> dict[str, Any]:
    """Return a project as the API shows it: what a refused change is told."""
    body, _ = await one_project(conn, scope, project_id)
    state: dict[str, Any] = msgspec.json.decode(body)
    return state
