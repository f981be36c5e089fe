"""Running the installation: health, measurements, service levels, the operators' console."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import ControllerRouterHandler

    from zena.kit.registry import Registry


def register(registry: "Registry") -> None:
    from zena.operate import api, console, events, health, jobs
    from zena.operate.console.desk import console_entry

    del events  # they are declared by being imported
    registry.routes += [*health.ROUTES, *api.ROUTES, *console.ROUTES]
    registry.templates.append(Path(__file__).parent / "templates")
    registry.nav.append(console_entry)
    jobs.register(registry)


def live_routes() -> "Sequence[ControllerRouterHandler]":
    """Return what a process for live connections serves beside them."""
    from zena.operate import api, health

    return [health.live, health.ready, api.live_health]
