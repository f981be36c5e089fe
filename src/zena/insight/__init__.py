"""What the numbers say: key figures, project health, and their history. Reads counters, never the tasks themselves."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zena.kit.registry import Registry


def register(registry: "Registry") -> None:
    from zena.insight import api, jobs, web
    from zena.insight.channels import DashboardChannel
    from zena.insight.nav import dashboard_entry

    registry.routes += [*api.ROUTES, *web.ROUTES]
    registry.templates.append(Path(__file__).parent / "templates")
    registry.channels["dashboard"] = DashboardChannel()
    registry.nav.append(dashboard_entry)
    jobs.register(registry)
