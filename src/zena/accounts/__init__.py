"""People, firms and how they get in."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zena.kit.registry import Registry

_HERE = Path(__file__).parent


def register(registry: "Registry") -> None:
    from zena.accounts import (
        api,
        checks,
        jobs,
        navigation,
        web,
    )

    registry.routes += [*api.ROUTES, *web.ROUTES]
    registry.templates.append(_HERE / "templates")
    registry.checks += checks.CHECKS
    registry.nav.append(navigation.entries)
    for job in jobs.JOBS:
        registry.job(job)
    for cron in jobs.CRONS:
        registry.crons[cron.name] = cron
