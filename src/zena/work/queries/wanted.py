"""What a caller wants of a list of tasks: filters, order, page. Every name and value is checked before any SQL."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from zena.kit.pages import Key, page_limit
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound
from zena.work.queries.parameters import choice, choices, day, like, number, once, uuid

STATUSES: Final = ("backlog", "in_progress", "blocked", "done", "canceled")
OPEN_SQL: Final = "t.status IN ('backlog', 'in_progress', 'blocked')"
PRIORITIES: Final = ("low", "normal", "high", "urgent")
DUE: Final = ("overdue", "soon", "none")
#: "Due soon" is today and the three days after it.
SOON: Final = timedelta(days=3)
_PRIORITY: Final = "array_position(ARRAY['low', 'normal', 'high', 'urgent'], t.priority)"
_ID: Final = Key("t.id")
SORTS: Final[dict[str, list[Key]]] = {
    "rank": [Key("t.rank"), _ID],
    "number": [Key("t.number"), _ID],
    "created_at": [_ID],
    "updated_at": [Key("t.updated_at"), _ID],
    "due_on": [Key("t.due_on", nullable=True), _ID],
    "priority": [Key(_PRIORITY), _ID],
}
#: Parameter: what it means (for the API's description).
PARAMETERS: Final = {
    "status": "Only these statuses, separated by commas: " + ", ".join(STATUSES),
    "priority": "Only these priorities, separated by commas: " + ", ".join(PRIORITIES),
    "assignee": "A member's id, `me` or `none`",
    "label": "Only tasks with all these labels: ids separated by commas",
    "parent": "Sub-tasks of this task, or `none` for tasks that are nobody's sub-task",
    "due": "`overdue`, `soon` (today and three days more; open tasks only) or `none`",
    "due_from": "Due on this date or later",
    "due_to": "Due on this date or earlier",
    "created_by": "A member's id or `me`",
    "closed": "`true`: only done or canceled; `false`: only open ones",
    "q": "Words of the name, a number, or a key such as HBR-142",
    "sort": "One of " + ", ".join(SORTS) + "; with a leading minus, descending",
    "limit": "Rows per page, 1 to 100; 50 when absent",
    "cursor": "`page.next` of the page before",
    "count": "`1` adds `page.total`",
}
_SEPARATE: Final = frozenset({"sort", "limit", "cursor", "count"})
_KEY: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9]{1,9}-)?(\d{1,15})\Z")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a list of tasks."""

    given: dict[str, str]
    sort: str
    limit: int
    cursor: str | None
    count: bool

    @property
    def keys(self) -> list[Key]:
        if not self.sort.startswith("-"):
            return SORTS[self.sort]
        return [Key(key.column, descending=True, nullable=key.nullable) for key in SORTS[self.sort[1:]]]

    @property
    def name(self) -> str:
        """What makes this list another one than the next: its cursors are good for it alone."""
        return "&".join([self.sort, *(f"{key}={value}" for key, value in sorted(self.given.items()))])


def wanted_tasks(
    params: Sequence[tuple[str, str]], *, extra: frozenset[str] = frozenset(), default_sort: str = "rank"
) -> Wanted:
    """Read query parameters; 422 naming the one that is unknown, repeated, empty or wrong; `extra` names pass."""
    given = once(params, PARAMETERS.keys() | extra)
    sort = given.get("sort", default_sort)
    choice(sort.removeprefix("-"), "sort", tuple(SORTS))
    count = choice(given.get("count", "0"), "count", ("0", "1"))
    limit = given.get("limit")
    return Wanted(
        given={name: value for name, value in given.items() if name not in _SEPARATE},
        sort=sort,
        limit=page_limit(number(limit, "limit") if limit else None),
        cursor=given.get("cursor"),
        count=count == "1",
    )


def wanted_page(params: Sequence[tuple[str, str]]) -> tuple[int, str | None]:
    """Read `limit` and `cursor` of a list that takes nothing else."""
    given = once(params, {"limit", "cursor"})
    return page_limit(number(given["limit"], "limit") if "limit" in given else None), given.get("cursor")


def conditions(wanted: Wanted, scope: Scope, bound: Bound) -> list[str]:
    """Return the filters as SQL over `task t`; raises Invalid for a value that is none."""
    return [_FILTERS[name](value, scope, bound) for name, value in wanted.given.items() if name in _FILTERS]


def _status(value: str, _: Scope, bound: Bound) -> str:
    return f"t.status = ANY({bound.mark(choices(value, 'status', STATUSES))})"


def _priority(value: str, _: Scope, bound: Bound) -> str:
    return f"t.priority = ANY({bound.mark(choices(value, 'priority', PRIORITIES))})"


def _assignee(value: str, scope: Scope, bound: Bound) -> str:
    if value == "none":
        return "t.assignee_ids = '{}'"
    member = bound.mark(_member(value, "assignee", scope))
    return f"t.id IN (SELECT a.task_id FROM task_assignee a WHERE a.tenant_id = $1 AND a.member_id = {member})"  # noqa: S608 - a placeholder


def _label(value: str, _: Scope, bound: Bound) -> str:
    return " AND ".join(
        "t.id IN (SELECT l.task_id FROM task_label l WHERE l.tenant_id = $1"  # noqa: S608 - a placeholder
        f" AND l.label_id = {bound.mark(uuid(part, 'label'))})"
        for part in value.split(",")
    )


def _parent(value: str, _: Scope, bound: Bound) -> str:
    return "t.parent_id IS NULL" if value == "none" else f"t.parent_id = {bound.mark(uuid(value, 'parent'))}"


def _due(value: str, scope: Scope, bound: Bound) -> str:
    choice(value, "due", DUE)
    if value == "none":
        return "t.due_on IS NULL"
    today = bound.mark(scope.today)
    if value == "overdue":
        return f"{OPEN_SQL} AND t.due_on < {today}"
    return f"{OPEN_SQL} AND t.due_on BETWEEN {today} AND {bound.mark(scope.today + SOON)}"


def _due_from(value: str, _: Scope, bound: Bound) -> str:
    return f"t.due_on >= {bound.mark(day(value, 'due_from'))}"


def _due_to(value: str, _: Scope, bound: Bound) -> str:
    return f"t.due_on <= {bound.mark(day(value, 'due_to'))}"


def _created_by(value: str, scope: Scope, bound: Bound) -> str:
    return f"t.created_by = {bound.mark(_member(value, 'created_by', scope))}"


def _closed(value: str, _: Scope, __: Bound) -> str:
    choice(value, "closed", ("true", "false"))
    return f"NOT ({OPEN_SQL})" if value == "true" else OPEN_SQL


def _q(value: str, _: Scope, bound: Bound) -> str:
    named = f"t.name ILIKE {bound.mark(like(value, 'q'))}"
    found = _KEY.match(value.strip())
    return f"({named} OR t.number = {bound.mark(int(found[1]))})" if found else named


_FILTERS: Final[dict[str, Callable[[str, Scope, Bound], str]]] = {
    "status": _status,
    "priority": _priority,
    "assignee": _assignee,
    "label": _label,
    "parent": _parent,
    "due": _due,
    "due_from": _due_from,
    "due_to": _due_to,
    "created_by": _created_by,
    "closed": _closed,
    "q": _q,
}


def _member(value: str, field: str, scope: Scope) -> UUID | None:
    return scope.member if value == "me" else uuid(value, field)
