"""The web shell: layouts, parts, style, scripts, languages, and the handler of static files. It knows no slice."""

from pathlib import Path
from typing import Final

from zena.kit.registry import Registry
from zena.web.files import serve_static

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"


def register(registry: Registry) -> None:
    """Bring the shell's templates and the static files' route."""
    registry.templates.append(_HERE / "templates")
    registry.routes.append(serve_static)
