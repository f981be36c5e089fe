"""What accounts adds to the side bar."""

from collections.abc import Sequence
from typing import Any

from zena.accounts.permissions import Permission
from zena.kit.i18n import N_
from zena.kit.registry import NavItem
from zena.kit.scope import Scope

_SECTION = N_("Firm")


async def entries(_: Any, scope: Scope) -> Sequence[NavItem]:
    """Offer what the actor may open."""
    offered = [
        (Permission.MEMBERS_VIEW, NavItem(N_("Members"), "/members", "people", _SECTION)),
        (Permission.AUDIT_VIEW, NavItem(N_("Audit"), "/audit", "shield", _SECTION)),
        (Permission.SETTINGS_MANAGE, NavItem(N_("Settings"), "/settings", "gear", _SECTION)),
    ]
    return [item for permission, item in offered if scope.may(permission)]
