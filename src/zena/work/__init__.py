"""Projects, tasks and what hangs on them: members, labels, dependencies, comments, counters."""

from pathlib import Path

from zena.kit.guard.rules import MIB, UploadPath
from zena.kit.registry import Registry
from zena.work import api, checks, web
from zena.work.channels import ProjectsChannel, TasksChannel
from zena.work.web import navigation

_HERE = Path(__file__).parent
#: The file and the form around it.
_IMPORT_LIMIT = 11 * MIB


def register(registry: Registry) -> None:
    registry.routes += [*api.ROUTES, *web.ROUTES]
    registry.templates.append(_HERE / "templates")
    registry.channels["tasks"] = TasksChannel()
    registry.channels["projects"] = ProjectsChannel()
    registry.checks += checks.CHECKS
    registry.files.append(checks.FILES)
    registry.nav.append(navigation.entries)
    for path in ("/api/v1/app/projects/*/imports", "/projects/*/imports"):
        registry.uploads.append(UploadPath(path, _IMPORT_LIMIT))
