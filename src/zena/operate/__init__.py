"""Running the installation: health, measurements, service levels, the operators' console."""

from pathlib import Path

from zena.kit.registry import Registry
from zena.operate import api, console, events, health, jobs
from zena.operate.console.desk import console_entry

__all__ = ["events", "register"]  # the events are declared by being imported

#: What a process for live connections serves beside them.
LIVE_ROUTES = [health.live, health.ready, api.live_health]


def register(registry: Registry) -> None:
    registry.routes += [*health.ROUTES, *api.ROUTES, *console.ROUTES]
    registry.templates.append(Path(__file__).parent / "templates")
    registry.nav.append(console_entry)
    jobs.register(registry)
