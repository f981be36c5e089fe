"""What can happen to projects and tasks. Each touches every family of key figures that counts it.

`key` is what people call the task at that time. Payloads carry names as they were, so that activity stays readable.
"""

from uuid import UUID

from zena.kit.events import Event, event

PROJECT = {"dashboard", "projects"}
TASK = {"dashboard", "projects", "tasks", "team"}


@event("project.created", families=TASK)
class ProjectCreated(Event, frozen=True):
    """`tasks` counts what came along when the project is a copy of another one, `copied_from`."""

    key: str
    name: str
    copied_from: UUID | None = None
    tasks: int = 0


@event("project.updated", families=PROJECT)
class ProjectUpdated(Event, frozen=True):
    fields: list[str]


@event("project.budget_changed", families=PROJECT)
class ProjectBudgetChanged(Event, frozen=True):
    """Apart from other changes, because only those who hold cost.view may read it."""

    fields: list[str]


@event("project.status_changed", families=TASK)
class ProjectStatusChanged(Event, frozen=True):
    """`cascaded` counts the tasks that the change took along."""

    old: str
    new: str
    cascaded: int = 0


@event("project.member_changed", families={"team"})
class ProjectMemberChanged(Event, frozen=True):
    """Somebody got another part in the project, or (`role` null) none any more."""

    member: UUID
    role: str | None


@event("project.trashed", families=PROJECT)
class ProjectTrashed(Event, frozen=True):
    name: str


@event("project.restored", families=PROJECT)
class ProjectRestored(Event, frozen=True):
    name: str


@event("project.purged", families=PROJECT)
class ProjectPurged(Event, frozen=True):
    key: str
    name: str


class TaskEvent(Event, frozen=True, kw_only=True):
    """What all facts about a task tell. `internal` ones are never shown to clients."""

    key: str
    internal: bool = False


@event("task.created", families=TASK)
class TaskCreated(TaskEvent, frozen=True, kw_only=True):
    name: str
    copied_from: UUID | None = None


@event("task.updated", families=TASK)
class TaskUpdated(TaskEvent, frozen=True, kw_only=True):
    fields: list[str]


@event("task.moved", families=TASK)
class TaskMoved(TaskEvent, frozen=True, kw_only=True):
    """A step in the workflow. `reason` is given for blocked and canceled."""

    old: str
    new: str
    reason: str | None = None


@event("task.ranked")
class TaskRanked(TaskEvent, frozen=True, kw_only=True):
    """A task changed its place in the order; nothing that is counted changed."""


@event("task.assigned", families={"tasks", "team"})
class TaskAssigned(TaskEvent, frozen=True, kw_only=True):
    added: list[UUID]
    removed: list[UUID]


@event("task.labeled")
class TaskLabeled(TaskEvent, frozen=True, kw_only=True):
    """`added` and `removed` are the labels' names."""

    added: list[str]
    removed: list[str]


@event("task.trashed", families=TASK)
class TaskTrashed(TaskEvent, frozen=True, kw_only=True):
    """`count` includes the sub-tasks that went with the task."""

    name: str
    count: int = 1


@event("task.restored", families=TASK)
class TaskRestored(TaskEvent, frozen=True, kw_only=True):
    name: str
    count: int = 1


@event("task.purged", families=TASK)
class TaskPurged(TaskEvent, frozen=True, kw_only=True):
    """A task left the trash for good."""

    name: str
    count: int = 1


@event("task.linked")
class TaskLinked(TaskEvent, frozen=True, kw_only=True):
    """A dependency was made; the subject is the successor."""

    predecessor: UUID
    predecessor_key: str
    kind: str


@event("task.unlinked")
class TaskUnlinked(TaskEvent, frozen=True, kw_only=True):
    predecessor: UUID
    predecessor_key: str


@event("comment.created")
class CommentCreated(TaskEvent, frozen=True, kw_only=True):
    """The subject is the comment's task, so that it stands in the task's activity. `mentions` holds memberships."""

    comment: UUID
    mentions: list[UUID]


@event("comment.edited")
class CommentEdited(TaskEvent, frozen=True, kw_only=True):
    comment: UUID


@event("comment.pinned")
class CommentPinned(TaskEvent, frozen=True, kw_only=True):
    """Somebody put a comment at the head of the talk, or (`pinned` false) took it from there."""

    comment: UUID
    pinned: bool


@event("comment.deleted")
class CommentDeleted(TaskEvent, frozen=True, kw_only=True):
    comment: UUID


@event("label.changed")
class LabelChanged(Event, frozen=True):
    """`change` is created, updated or deleted."""

    name: str
    change: str


@event("import.applied", families=TASK)
class ImportApplied(Event, frozen=True):
    """One for the whole file; the subject is the import."""

    file: str
    tasks: int
    dependencies: int
