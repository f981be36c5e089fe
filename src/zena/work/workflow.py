"""The life of projects and tasks as data (domain contract, sections 2 and 3). Actions consult it, nothing else does."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from zena.kit.errors import Invalid
from zena.kit.i18n import N_


class ProjectStatus(StrEnum):
    PLANNING = "planning"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class TaskStatus(StrEnum):
    BACKLOG = "backlog"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"
    CANCELED = "canceled"


P, T = ProjectStatus, TaskStatus

PROJECT_MOVES: Final[dict[str, tuple[ProjectStatus, ...]]] = {
    P.PLANNING: (P.ACTIVE, P.COMPLETED, P.CANCELLED),
    P.ACTIVE: (P.PLANNING, P.ON_HOLD, P.COMPLETED, P.CANCELLED),
    P.ON_HOLD: (P.ACTIVE, P.COMPLETED, P.CANCELLED),
    P.COMPLETED: (P.ARCHIVED,),
    P.CANCELLED: (P.ARCHIVED,),
    P.ARCHIVED: (),
}

TASK_MOVES: Final[dict[str, tuple[TaskStatus, ...]]] = {
    T.BACKLOG: (T.IN_PROGRESS, T.CANCELED),
    T.IN_PROGRESS: (T.DONE, T.BLOCKED, T.CANCELED, T.BACKLOG),
    T.BLOCKED: (T.IN_PROGRESS, T.CANCELED),
    T.DONE: (T.IN_PROGRESS,),
    T.CANCELED: (T.BACKLOG,),
}

OPEN: Final = frozenset({T.BACKLOG, T.IN_PROGRESS, T.BLOCKED})
NEEDS_REASON: Final = frozenset({T.BLOCKED, T.CANCELED})
REASON_LENGTH: Final = 500
#: Projects in which tasks may be written at all.
WRITABLE: Final = frozenset({P.PLANNING, P.ACTIVE, P.ON_HOLD})


def check_project_move(current: str, wanted: str, allowed: Collection[str] | None = None) -> None:
    """Refuse a step that the table does not have; 422 with from, to and allowed."""
    _check(PROJECT_MOVES[current] if allowed is None else allowed, current, wanted)


def check_task_move(current: str, wanted: str) -> None:
    """Refuse a step that the table does not have; 422 with from, to and allowed."""
    _check(TASK_MOVES[current], current, wanted)


def check_project_gate(project_status: str, current: str, wanted: str) -> None:
    """Refuse what the project's state does not let a task do (PROJECT_STATUS_RESTRICTED).

    On hold, tasks may be blocked, unblocked and canceled; a finished project's tasks stand still.
    """
    if project_status in {P.PLANNING, P.ACTIVE}:
        return
    unblocks = current == T.BLOCKED and wanted == T.IN_PROGRESS
    if project_status == P.ON_HOLD and (wanted in {T.BLOCKED, T.CANCELED} or unblocks):
        return
    raise restricted(project_status)


def check_writable(project_status: str) -> None:
    """Refuse changes to the tasks of a project that is completed, cancelled or archived."""
    if project_status not in WRITABLE:
        raise restricted(project_status)


def restricted(project_status: str) -> Invalid:
    detail = N_("The project is %(status)s: its tasks cannot be changed like this.", status=project_status)
    return Invalid(detail=detail, code="PROJECT_STATUS_RESTRICTED", details={"project_status": project_status})


def _check(allowed: Collection[str], current: str, wanted: str) -> None:
    if wanted in allowed:
        return
    raise Invalid(
        detail=N_("A change from %(old)s to %(new)s is not possible.", old=current, new=wanted),
        code="INVALID_STATUS_TRANSITION",
        details={"from": current, "to": wanted, "allowed": [str(status) for status in allowed]},
    )
