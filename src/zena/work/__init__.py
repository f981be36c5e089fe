"""Projects, tasks and what hangs on them: members, labels, dependencies, comments, counters."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zena.kit.registry import Registry

_HERE = Path(__file__).parent
#: Of an import, in MiB: the file and the form around it.
_LIMIT = 11


def register(registry: "Registry") -> None:
    from zena.kit.guard.rules import MIB, UploadPath
    from zena.work import api, checks, web
    from zena.work.channels import ProjectsChannel, TasksChannel
    from zena.work.web import navigation

    registry.routes += [*api.ROUTES, *web.ROUTES]
    registry.templates.append(_HERE / "templates")
    registry.channels["tasks"] = TasksChannel()
    registry.channels["projects"] = ProjectsChannel()
    registry.checks += checks.CHECKS
    registry.files.append(checks.FILES)
    registry.nav.append(navigation.entries)
    for path in ("/api/v1/app/projects/*/imports", "/projects/*/imports"):
        registry.uploads.append(UploadPath(path, _LIMIT * MIB))
