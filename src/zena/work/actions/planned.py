"""Tasks and dependencies that are to be written many at once (insert.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from uuid import UUID

from zena.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to insert, already checked by the caller as a person's input would be. Ids come from `new_id`.

    A parent is another new task. `reason` is for blocked and canceled. Instants left out are those of now.
    """

    name: str
    id: UUID = field(default_factory=new_id)
    description: str = ""
    status: str = "backlog"
    priority: str = "normal"
    parent_id: UUID | None = None
    start_on: date | None = None
    due_on: date | None = None
    estimate_min: int | None = None
    spent_min: int = 0
    progress: int = 0
    internal: bool = False
    assignees: Sequence[UUID] = ()
    labels: Sequence[UUID] = ()
    reason: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A dependency to insert; the caller has made sure that all of them close no circle."""

    predecessor_id: UUID
    successor_id: UUID
    kind: str = "FS"
    lag_min: int = 0


@dataclass(frozen=True, slots=True)
class At:
    """Where new tasks go: `above` holds the levels of tasks that may be parents already, `rank` is the first one's."""

    above: Mapping[UUID, int] = field(default_factory=dict)
    rank: str | None = None


Row: TypeAlias = dict[str, Any]
