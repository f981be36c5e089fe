"""The dashboard's entry in the side bar."""

from collections.abc import Sequence

from zena.accounts.facade import Permission
from zena.kit.db import Raw
from zena.kit.i18n import N_
from zena.kit.registry import NavItem
from zena.kit.scope import Scope


async def dashboard_entry(_: Raw, scope: Scope) -> Sequence[NavItem]:
    if not scope.may(Permission.REPORTS_VIEW):
        return []
    return [NavItem(N_("Dashboard"), "/dashboard", "grid", phone=True)]
