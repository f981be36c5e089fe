"""The words pages use for states, and what stands behind them."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from zena.kit.i18n import N_, Text
from zena.work.queries.pages import Person
from zena.work.queries.talk import Happened
from zena.work.workflow import NEEDS_REASON, PROJECT_MOVES, TASK_MOVES, ProjectStatus, TaskStatus

TASK_STATUS: Final[dict[str, Text]] = {
    "backlog": N_("Backlog"),
    "in_progress": N_("In progress"),
    "blocked": N_("Blocked"),
    "done": N_("Done"),
    "canceled": N_("Canceled"),
}
PROJECT_STATUS: Final[dict[str, Text]] = {
    "planning": N_("Planning"),
    "active": N_("Active"),
    "on_hold": N_("On hold"),
    "completed": N_("Completed"),
    "cancelled": N_("Cancelled"),
    "archived": N_("Archived"),
}
PROJECT_TONE: Final = {"active": "acc", "on_hold": "warn", "completed": "ok", "cancelled": "bad"}
PRIORITY: Final[dict[str, Text]] = {
    "urgent": N_("Urgent"),
    "high": N_("High"),
    "normal": N_("Normal"),
    "low": N_("Low"),
}
RISK: Final[dict[str, Text]] = {"low": N_("Low risk"), "medium": N_("Medium risk"), "high": N_("High risk")}
PART: Final[dict[str, Text]] = {
    "manager": N_("Manager"),
    "contributor": N_("Contributor"),
    "viewer": N_("Viewer"),
}
FIELD: Final[dict[str, Text]] = {
    "name": N_("the name"),
    "description": N_("the description"),
    "priority": N_("the priority"),
    "parent_id": N_("the parent task"),
    "start_on": N_("the start"),
    "due_on": N_("the due date"),
    "estimate_min": N_("the estimate"),
    "spent_min": N_("the time spent"),
    "progress": N_("the progress"),
    "internal": N_("who sees it"),
}


def steps(status: str) -> list[tuple[str, Text, bool]]:
    """Return where a task can go from here: status, its word, whether a reason is asked."""
    allowed = TASK_MOVES[TaskStatus(status)]
    return [(to, TASK_STATUS[to], to in NEEDS_REASON) for to in TaskStatus if to in allowed]


def project_steps(status: str) -> list[tuple[str, Text]]:
    allowed = PROJECT_MOVES[ProjectStatus(status)]
    return [(to, PROJECT_STATUS[to]) for to in ProjectStatus if to in allowed]


def comes_from(lane: str) -> str:
    """Return the statuses whose cards this lane takes, for the board."""
    return " ".join(old for old, allowed in TASK_MOVES.items() if lane in allowed)


def told(happened: Happened, people: dict[UUID, Person]) -> Text:
    """Say one event in words, without the actor's name (it stands before the sentence)."""
    payload = happened.payload
    tell = _TOLD.get(happened.type)
    return tell(payload, people) if tell else N_("changed this (%(what)s)", what=happened.type)


def _names(ids: Sequence[str], people: dict[UUID, Person]) -> str:
    known = [people[UUID(one)].name for one in ids if UUID(one) in people]
    return ", ".join(known) or "?"


def _assigned(payload: dict[str, Any], people: dict[UUID, Person]) -> Text:
    added, removed = payload.get("added", []), payload.get("removed", [])
    if added and removed:
        return N_("gave this to %(new)s instead of %(old)s", new=_names(added, people), old=_names(removed, people))
    if added:
        return N_("gave this to %(names)s", names=_names(added, people))
    return N_("took this from %(names)s", names=_names(removed, people))


def _moved(payload: dict[str, Any], _: dict[UUID, Person]) -> Text:
    old, new = TASK_STATUS.get(payload["old"], N_("?")), TASK_STATUS.get(payload["new"], N_("?"))
    if payload.get("reason"):
        return N_("moved this from %(old)s to %(new)s: %(reason)s", old=old, new=new, reason=payload["reason"])
    return N_("moved this from %(old)s to %(new)s", old=old, new=new)


def _updated(payload: dict[str, Any], _: dict[UUID, Person]) -> Text:
    before, after = payload.get("before", {}), payload.get("after", {})
    fields = payload.get("fields", [])
    if len(fields) == 1 and fields[0] != "description" and fields[0] in after and not fields[0].endswith("_id"):
        field = fields[0]
        old, new = before.get(field), after.get(field)
        what = FIELD.get(field, N_("a field"))
        return N_("changed %(what)s from %(old)s to %(new)s", what=what, old=_shown(old), new=_shown(new))
    return N_("changed %(what)s", what=", ".join(FIELD.get(field, field) for field in fields))


def _labeled(payload: dict[str, Any], _: dict[UUID, Person]) -> Text:
    added, removed = payload.get("added", []), payload.get("removed", [])
    signs = ", ".join([*(f"+{word}" for word in added), *(f"−{word}" for word in removed)])
    return N_("changed the labels: %(signs)s", signs=signs)


def _shown(value: Any) -> str:
    return "–" if value is None or value == "" else str(value)


_TOLD: Final[dict[str, Callable[[dict[str, Any], dict[UUID, Person]], Text]]] = {
    "task.created": lambda _p, _: N_("made this task"),
    "task.updated": _updated,
    "task.moved": _moved,
    "task.ranked": lambda _p, _: N_("changed its place in the order"),
    "task.assigned": _assigned,
    "task.labeled": _labeled,
    "task.trashed": lambda _p, _: N_("put this into the trash"),
    "task.restored": lambda _p, _: N_("brought this back from the trash"),
    "task.linked": lambda p, _: N_("let this wait for %(key)s", key=p.get("predecessor_key", "?")),
    "task.unlinked": lambda p, _: N_("no longer lets this wait for %(key)s", key=p.get("predecessor_key", "?")),
}
