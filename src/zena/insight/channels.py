"""The live channel of the dashboard: every event that changes a figure."""

from typing import Any

from zena.accounts.facade import Permission
from zena.insight.families import FAMILIES
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.events import EVENTS
from zena.kit.registry import EventRow
from zena.kit.scope import Scope


class DashboardChannel:
    """One channel per firm, for those who may see its figures."""

    async def allow(self, conn: Raw, scope: Scope, object_id: str | None) -> None:  # noqa: ARG002 - the rule of every channel
        """Refuse as the page does."""
        if object_id is not None:
            raise NotFound
        scope.require(Permission.REPORTS_VIEW)

    def visible(self, event: EventRow, object_id: str | None, allowed: Any) -> bool:  # noqa: ARG002 - the rule of every channel
        """Tell whether the event touches a family of figures."""
        declared = EVENTS.get(event.type)
        return declared is not None and not declared.families.isdisjoint(FAMILIES)
