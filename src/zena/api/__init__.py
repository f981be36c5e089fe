"""The shell of the HTTP API: its description and the page that shows it. Routes belong to the slices."""

from pathlib import Path

from zena.api.description import describe
from zena.api.pages import ROUTES
from zena.kit.registry import Registry

__all__ = ["describe", "register"]


def register(registry: Registry) -> None:
    registry.routes += ROUTES
    registry.templates.append(Path(__file__).parent / "templates")
