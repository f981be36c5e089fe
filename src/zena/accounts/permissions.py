"""Every permission, and which role holds it (domain contract, section 4). The only such list.

Some are narrowed further where the object is known: a member writes in projects they belong to, deletes what they made.
"""

from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """`resource.action`, alphabetical."""

    AUDIT_VIEW = "audit.view"
    COMMENTS_CREATE = "comments.create"
    COST_APPROVE = "cost.approve"
    COST_EDIT = "cost.edit"
    COST_VIEW = "cost.view"
    EXPORTS_CREATE = "exports.create"
    IMPORTS_CREATE = "imports.create"
    LABELS_MANAGE = "labels.manage"
    MEMBERS_MANAGE = "members.manage"
    MEMBERS_VIEW = "members.view"
    OWNERSHIP_TRANSFER = "ownership.transfer"
    PROJECTS_CREATE = "projects.create"
    PROJECTS_DELETE = "projects.delete"
    PROJECTS_UPDATE = "projects.update"
    PROJECTS_VIEW = "projects.view"
    REPORTS_VIEW = "reports.view"
    SETTINGS_MANAGE = "settings.manage"
    TASKS_ASSIGN = "tasks.assign"
    TASKS_CREATE = "tasks.create"
    TASKS_DELETE = "tasks.delete"
    TASKS_UPDATE = "tasks.update"
    TASKS_VIEW = "tasks.view"
    TENANT_DELETE = "tenant.delete"
    TOKENS_MANAGE = "tokens.manage"


class Role(StrEnum):
    """What a membership may be, strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    PM = "pm"
    MEMBER = "member"
    VIEWER = "viewer"
    CLIENT = "client"


P = Permission
_CLIENT: Final = frozenset({P.PROJECTS_VIEW, P.TASKS_VIEW, P.COMMENTS_CREATE})
_VIEWER: Final = frozenset({P.PROJECTS_VIEW, P.TASKS_VIEW, P.MEMBERS_VIEW, P.REPORTS_VIEW})
_MEMBER: Final = _VIEWER | {P.TASKS_CREATE, P.TASKS_UPDATE, P.TASKS_DELETE, P.COMMENTS_CREATE}
_PM: Final = _MEMBER | {
    P.COST_EDIT,
    P.COST_VIEW,
    P.IMPORTS_CREATE,
    P.LABELS_MANAGE,
    P.PROJECTS_CREATE,
    P.PROJECTS_DELETE,
    P.PROJECTS_UPDATE,
    P.TASKS_ASSIGN,
}
_ADMIN: Final = _PM | {
    P.AUDIT_VIEW,
    P.COST_APPROVE,
    P.EXPORTS_CREATE,
    P.MEMBERS_MANAGE,
    P.SETTINGS_MANAGE,
    P.TOKENS_MANAGE,
}
_OWNER: Final = _ADMIN | {P.OWNERSHIP_TRANSFER, P.TENANT_DELETE}

ROLE_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.PM: _PM,
    Role.MEMBER: _MEMBER,
    Role.VIEWER: _VIEWER,
    Role.CLIENT: _CLIENT,
}


_HELD: Final = {role: frozenset(map(str, held)) for role, held in ROLE_PERMISSIONS.items()}


def permissions_of(role: str, token_scopes: list[str] | None = None) -> frozenset[str]:
    """Return what a role holds, cut down to a token's scopes where a token is used."""
    held = _HELD[Role(role)]
    return held if token_scopes is None else held & frozenset(token_scopes)
