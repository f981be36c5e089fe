"""Running the installation: health, measurements, service levels."""

from zena.kit.registry import Registry
from zena.operate import api, health, jobs


def register(registry: Registry) -> None:
    registry.routes += [*health.ROUTES, *api.ROUTES]
    jobs.register(registry)
