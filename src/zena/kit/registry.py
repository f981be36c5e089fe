"""What the slices bring along. Each has one `register(registry)`; only main.py calls them all."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec
from litestar.types import ControllerRouterHandler

from zena.kit.checks import Check, StoredFiles
from zena.kit.db import Raw
from zena.kit.guard.rules import UploadPath
from zena.kit.scope import Scope


class EventRow(msgspec.Struct, frozen=True):
    """One row of the outbox."""

    tenant_id: UUID
    position: int
    id: UUID
    type: str
    actor: UUID | None
    subject_type: str
    subject_id: UUID
    project_id: UUID | None
    payload: dict[str, Any]
    batch_id: UUID | None
    at: str


class ChannelRule(Protocol):
    """Who may listen to a channel `tenant:{tenant}:{resource}[:{id}]`, and to which events."""

    async def allow(self, conn: Raw, scope: Scope, object_id: str | None) -> Any:
        """Raise the same problem REST would; otherwise return a value that `visible` receives."""

    def visible(self, event: EventRow, object_id: str | None, allowed: Any) -> bool:
        """Tell whether this event belongs to the channel, for what `allow` returned."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the side bar. `tag` is (text, tone) or None; `section` groups entries."""

    label: str
    url: str
    icon: str
    section: str = ""
    tag: tuple[str, str] | None = None
    phone: bool = False
    notice: str = ""  # said at the head of every page while the entry is there


NavProvider = Callable[[Any, Scope], Awaitable[Sequence[NavItem]]]
JobFunction = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job: `name` is `slice.verb`; `attempts` counts the first run; `timeout` in seconds."""

    name: str
    run: JobFunction
    attempts: int = 5
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class CronSpec:
    """A job of the installation (no tenant), started once per tick over all workers.

    `schedule` is a cron line, UTC; `timeout` in seconds.
    """

    name: str
    schedule: str
    run: JobFunction
    timeout: float = 900.0


@dataclass(slots=True)
class Registry:
    """Everything the application is made of."""

    routes: list[ControllerRouterHandler] = field(default_factory=list)
    jobs: dict[str, JobSpec] = field(default_factory=dict)
    crons: dict[str, CronSpec] = field(default_factory=dict)
    channels: dict[str, ChannelRule] = field(default_factory=dict)
    nav: list[NavProvider] = field(default_factory=list)
    uploads: list[UploadPath] = field(default_factory=list)
    templates: list[Path] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    files: list[StoredFiles] = field(default_factory=list)

    def job(self, spec: JobSpec) -> None:
        """Add a job; two jobs of one name are a programming error."""
        if spec.name in self.jobs:
            raise ValueError(f"job {spec.name} is registered twice")
        self.jobs[spec.name] = spec
