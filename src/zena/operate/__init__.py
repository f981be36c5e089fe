"""Running the installation: health now; symptoms, remedies and the console live here as they come."""

from zena.kit.registry import Registry
from zena.operate import health


def register(registry: Registry) -> None:
    registry.routes += health.ROUTES
