"""What the routes of work take. Types and forms are checked here; the rules of a field by the action."""

from datetime import date
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from zena.work.api.answers import Body

Ids = Annotated[list[UUID], Meta(max_length=1000)]


class NewProject(Body, kw_only=True):
    """`key` is made from the name when left out. Money is in minor units and needs cost.edit."""

    name: str
    key: str | None = None
    description: str | UnsetType = UNSET
    owner_id: UUID | UnsetType | None = UNSET
    start_on: date | UnsetType | None = UNSET
    end_on: date | UnsetType | None = UNSET
    priority: str | UnsetType = UNSET
    risk_level: str | UnsetType = UNSET
    budget_planned: int | UnsetType | None = UNSET
    budget_actual: int | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET


class ProjectChanges(Body, kw_only=True):
    """Only what is sent changes; null empties a field that may be empty."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    owner_id: UUID | UnsetType | None = UNSET
    start_on: date | UnsetType | None = UNSET
    end_on: date | UnsetType | None = UNSET
    priority: str | UnsetType = UNSET
    risk_level: str | UnsetType = UNSET
    budget_planned: int | UnsetType | None = UNSET
    budget_actual: int | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET


class ProjectStatusChange(Body, kw_only=True):
    """`cascade: "cancel"` cancels what is open when completing. With a `version` the change must be based on it."""

    status: str
    cascade: str | None = None
    version: int | None = None


class ProjectCopy(Body, kw_only=True):
    """Left out, the name is the old one with a mark and the key is made from it."""

    name: str | None = None
    key: str | None = None
    tasks: bool = True


class ProjectPart(Body, kw_only=True):
    """Somebody's part: manager, contributor or viewer."""

    member_id: UUID
    role: str


class NewTask(Body, kw_only=True):
    """`after` and `before` place the task in the order; else it goes to the end. Assignees need tasks.assign."""

    name: str
    description: str | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    start_on: date | UnsetType | None = UNSET
    due_on: date | UnsetType | None = UNSET
    estimate_min: int | UnsetType | None = UNSET
    progress: int | UnsetType = UNSET
    internal: bool | UnsetType = UNSET
    assignees: Ids | UnsetType = UNSET
    labels: Ids | UnsetType = UNSET
    after: UUID | None = None
    before: UUID | None = None


class NewTaskInProject(NewTask, kw_only=True):
    project_id: UUID


class TaskChanges(Body, kw_only=True):
    """Only what is sent changes; null empties what may be empty. Status, order, people and labels have routes."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    start_on: date | UnsetType | None = UNSET
    due_on: date | UnsetType | None = UNSET
    estimate_min: int | UnsetType | None = UNSET
    spent_min: int | UnsetType = UNSET
    progress: int | UnsetType = UNSET
    internal: bool | UnsetType = UNSET


class TaskMove(Body, kw_only=True):
    """A status, a place (`after` one task, `before` another), or both. Blocked and canceled need a reason."""

    status: str | None = None
    after: UUID | None = None
    before: UUID | None = None
    reason: str | None = None
    version: int | None = None


class TaskRank(Body, kw_only=True):
    """Where the task goes; neither: to the end."""

    after: UUID | None = None
    before: UUID | None = None
    version: int | None = None


class TaskPeople(Body, kw_only=True):
    """The whole list as `assignees`, or what to `add` and `remove`."""

    assignees: Ids | None = None
    add: Ids = field(default_factory=list)
    remove: Ids = field(default_factory=list)
    version: int | None = None


class TaskLabels(Body, kw_only=True):
    """The whole list as `labels`, or what to `add` and `remove`."""

    labels: Ids | None = None
    add: Ids = field(default_factory=list)
    remove: Ids = field(default_factory=list)
    version: int | None = None


class NewDependency(Body, kw_only=True):
    """The task waits for `predecessor_id`. `lag_min` is in working minutes; negative is a lead."""

    predecessor_id: UUID
    type: str = "FS"
    lag_min: int = 0


class NewLabel(Body, kw_only=True):
    """`hue` is 0..11, a colour of the palette."""

    name: str
    hue: int = 0


class LabelChanges(Body, kw_only=True):
    name: str | UnsetType = UNSET
    hue: int | UnsetType = UNSET
