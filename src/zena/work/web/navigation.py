"""What work adds to the side bar: one's own work, and the projects."""

from collections.abc import Sequence

from zena.accounts.permissions import Permission, Role
from zena.kit.db import Raw
from zena.kit.i18n import N_
from zena.kit.registry import NavItem
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.sight import project_sight

MOST = 12
_SECTION = N_("Projects")
_TAGS = ((0, N_("good"), "ok"), (3, N_("at risk"), "warn"))


async def entries(conn: Raw, scope: Scope) -> Sequence[NavItem]:
    """List the running projects, with how late they are: none, up to three, more (domain contract, section 5)."""
    if not scope.may(Permission.PROJECTS_VIEW):
        return []
    bound = Bound([scope.tenant, scope.today])
    rows = await conn.fetch(
        "SELECT p.key, p.name, coalesce((SELECT sum(d.open) FROM project_due_stats d WHERE d.tenant_id = $1"  # noqa: S608 - values are bound
        " AND d.project_id = p.id AND d.due_on < $2), 0)::bigint AS late FROM project p WHERE p.tenant_id = $1"
        f" AND p.deleted_at IS NULL AND p.status IN ('planning', 'active', 'on_hold') AND {project_sight(scope, bound)}"
        f" ORDER BY p.position, p.id LIMIT {bound.mark(MOST)}",
        *bound.values,
    )
    mine = [NavItem(N_("My work"), "/my-work", "work", phone=True)] if scope.role != Role.CLIENT else []
    listed = [NavItem(N_("All projects"), "/projects", "folder", _SECTION, phone=True)]
    tags = [NavItem(N_("Labels"), "/labels", "tag", N_("Firm"))] if scope.may(Permission.LABELS_MANAGE) else []
    return [*mine, *listed, *(_item(row["key"], row["name"], row["late"], scope) for row in rows), *tags]


def _item(key: str, name: str, late: int, scope: Scope) -> NavItem:
    tag = next(((word, tone) for most, word, tone in _TAGS if late <= most), (N_("delayed"), "bad"))
    return NavItem(name, f"/projects/{key}", "building", _SECTION, tag if scope.role != Role.CLIENT else None)
