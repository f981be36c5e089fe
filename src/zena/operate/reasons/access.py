"""Why somebody does not see something: from the account to the filter that leaves it out of a list."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from zena.accounts.facade import Permission, permissions_of
from zena.kit import changes
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope
from zena.work.facade import Place, is_in_project, is_seen, places

#: A condition: its name, whether it holds, what was found.
Link = tuple[str, bool, str]

_PERSON: Final = "SELECT id, is_active, locale, timezone FROM user_account WHERE email = $1"
_FIRMS: Final = """
SELECT t.id, t.slug, t.status, t.timezone, m.id AS member, m.role, m.ended_at
  FROM tenant t LEFT JOIN membership m ON m.tenant_id = t.id AND m.user_id = $1
 WHERE m.id IS NOT NULL OR t.slug = $2 ORDER BY m.is_default DESC NULLS LAST, t.slug
"""
_ENTER: Final = "SELECT set_config('app.tenant', $1, true), set_config('app.user', $2, true)"
_ROWS: Final = {
    "task": "SELECT EXISTS (SELECT FROM task WHERE tenant_id = $1 AND id = $2)",
    "comment": "SELECT EXISTS (SELECT FROM task WHERE tenant_id = $1 AND id = $2)",
    "project": "SELECT EXISTS (SELECT FROM project WHERE tenant_id = $1 AND id = $2)",
}
_SERVED: Final = frozenset({"active", "trial"})


class NoSuchName(Exception):  # noqa: N818 - says what is
    """The text names neither a task nor a project nor an id."""


class WhichFirm(Exception):  # noqa: N818 - says what is asked
    """What was named is there in several of the person's firms; the argument lists their short names."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what; `tenant` is a short name, or None."""

    email: str
    resource: str
    tenant: str | None


async def access_chain(ops: Raw, app: Raw, asked: Question) -> list[Link]:
    """Return the links in their order. `ops` sees every firm, `app` is held by row-level security.

    Telling an operator of another firm's row is recorded. Raises NoSuchName, WhichFirm, and NotFound for no such firm.
    """
    found = await places(ops, asked.resource)
    if found is None:
        raise NoSuchName
    links: list[Link] = []
    person = await ops.fetchrow(_PERSON, asked.email)
    if person is None:
        return [("exists", False, "nobody has this address; `zena user create` makes an account")]
    links.append(("exists", True, str(person["id"])))
    active = person["is_active"]
    links.append(("active", active, "yes" if active else f"deactivated: `zena user activate {asked.email}`"))
    firm = _firm([dict(row) for row in await ops.fetch(_FIRMS, person["id"], asked.tenant)], found, asked)
    if firm is None:
        return [*links, ("member", False, "of no firm")]
    links += _belongs(firm)
    place = next((one for one in found if one.tenant == firm["id"]), None)
    if place is None:
        return [*links, await _elsewhere(ops, found, firm, person["id"], asked)]
    return [*links, *[link async for link in _row(ops, app, place, firm, person)]]


def _firm(firms: list[dict[str, Any]], found: list[Place], asked: Question) -> dict[str, Any] | None:
    """Return the firm to look in: the one named, else the one of theirs that has it, else their default."""
    if asked.tenant is not None:
        named = next((firm for firm in firms if firm["slug"] == asked.tenant), None)
        if named is None:
            raise NotFound(f"there is no firm {asked.tenant!r}: `zena tenant list` shows them")
        return named
    present = [firm for firm in firms if firm["ended_at"] is None]
    holding = [firm for firm in present if any(place.tenant == firm["id"] for place in found)]
    if len(holding) > 1:
        raise WhichFirm(", ".join(firm["slug"] for firm in holding))
    return next(iter([*holding, *present, *firms]), None)


def _belongs(firm: dict[str, Any]) -> Iterator[Link]:
    served = firm["status"] in _SERVED
    yield "firm is served", served, f"{firm['slug']} is {firm['status']}"
    if firm["member"] is None:
        yield "member", False, f"never belonged to {firm['slug']}"
        return
    ended = firm["ended_at"]
    yield "member", ended is None, f"left {firm['slug']} at {ended:%Y-%m-%d %H:%M}" if ended else f"of {firm['slug']}"


async def _elsewhere(ops: Raw, found: list[Place], firm: dict[str, Any], user: UUID, asked: Question) -> Link:
    name = f"exists in {firm['slug']}"
    if not found:
        return name, False, "no firm has it; what is purged from the trash is gone"
    where = ", ".join(f"{place.kind} {place.id} of firm {place.tenant}" for place in found)
    facts = {"resource": asked.resource, "for": str(user), "found": where}
    await changes.record(ops, "remedy", "why access: told of another firm's row", after=facts)
    return name, False, f"it does not; there is {where} (this look is recorded)"


async def _row(ops: Raw, app: Raw, place: Place, firm: dict[str, Any], person: Any) -> AsyncIterator[Link]:
    permission = Permission.PROJECTS_VIEW if place.kind == "project" else Permission.TASKS_VIEW
    role = firm["role"]
    held = permissions_of(role) if role else frozenset[str]()
    yield (
        "permission",
        permission in held,
        f"{role or 'nobody'} {'holds' if permission in held else 'lacks'} {permission}",
    )
    yield f"exists in {firm['slug']}", True, f"{place.kind} {place.key}, {place.id}"
    async with _entered(app, place.tenant, person["id"]) as conn:
        shown = bool(await conn.fetchval(_ROWS[place.kind], place.tenant, place.id))
        why = "shows it" if shown else "HIDES it: look at `zena db check-integrity`, its policy is not ours"
        yield "row-level security", shown, why
        seen = await is_seen(conn, _scope(firm, person), place) if role else False
    yield _not_in_trash(place)
    yield await _sight(ops, place, firm, seen=seen and not (place.internal and role == "client"))
    archived = place.project_status == "archived"
    told = "its project is archived: lists leave it out unless asked for archived ones; its own address shows it"
    yield "no filter hides it", not archived, told if archived else "lists show it unless narrowed by the person"


async def _sight(ops: Raw, place: Place, firm: dict[str, Any], *, seen: bool) -> Link:
    if firm["role"] != "client":
        says = "staff see every project of their firm" if seen else "their own way of reading does not find it"
        return "project is seen", seen, says
    inside = await is_in_project(ops, place, firm["member"])
    if not inside:
        return "project is seen", False, "clients see the projects they are a member of; not of this one"
    says = "internal: not for clients" if place.internal else "a client who is a member of the project"
    return "project is seen", seen, says


def _not_in_trash(place: Place) -> Link:
    if place.deleted_at:
        return "not in the trash", False, f"{place.kind} was thrown away at {place.deleted_at:%Y-%m-%d %H:%M} UTC"
    if place.project_deleted_at:
        return (
            "not in the trash",
            False,
            f"its project was thrown away at {place.project_deleted_at:%Y-%m-%d %H:%M} UTC",
        )
    return "not in the trash", True, "neither it nor its project"


def _scope(firm: dict[str, Any], person: Any) -> Scope:
    return Scope(
        tenant=firm["id"],
        member=firm["member"],
        user=person["id"],
        role=firm["role"],
        permissions=permissions_of(firm["role"]),
        timezone=firm["timezone"],
    )


@asynccontextmanager
async def _entered(app: Raw, tenant: UUID, user: UUID) -> AsyncIterator[Raw]:
    """Bind a read-only transaction of the application's role to the firm, as a request does."""
    async with app.transaction(readonly=True):
        await app.execute(_ENTER, str(tenant), str(user))
        yield app
