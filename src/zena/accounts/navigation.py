"""What accounts adds to the side bar."""

from collections.abc import Sequence
from typing import Any

from zena.accounts.permissions import Permission
from zena.kit.formats import clock_time
from zena.kit.i18n import N_
from zena.kit.registry import NavItem
from zena.kit.scope import Scope
from zena.kit.text import isolate

_SECTION = N_("Firm")


async def entries(_: Any, scope: Scope) -> Sequence[NavItem]:
    """Offer what the actor may open, and say to whoever manages the firm that support looks at it."""
    offered = [
        (Permission.MEMBERS_VIEW, NavItem(N_("Members"), "/members", "people", _SECTION)),
        (Permission.AUDIT_VIEW, NavItem(N_("Audit"), "/audit", "shield", _SECTION)),
        (Permission.SETTINGS_MANAGE, NavItem(N_("Settings"), "/settings", "gear", _SECTION)),
    ]
    return [item for permission, item in offered if scope.may(permission)] + _visit_now(scope)


def _visit_now(scope: Scope) -> list[NavItem]:
    if scope.visitor is None:
        return []
    name = isolate(scope.visitor.name)
    zone = (scope.identity and scope.identity.timezone) or scope.timezone
    until = clock_time(scope.visitor.until, scope.locale, zone)
    told = N_("%(name)s of the support of this installation looks at your firm until %(time)s.", name=name, time=until)
    return [NavItem(N_("Support"), "/settings/support", "eye", _SECTION, (N_("now"), "warn"), notice=told)]
