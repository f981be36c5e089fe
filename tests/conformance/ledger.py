"""What one firm holds, kept beside it in plain dicts by the rules of the domain and by nothing of the program."""

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.factories import Firm

Row = dict[str, Any]

MOVES = {
    "backlog": ("in_progress", "canceled"),
    "in_progress": ("done", "blocked", "canceled", "backlog"),
    "blocked": ("in_progress", "canceled"),
    "done": ("in_progress",),
    "canceled": ("backlog",),
}
OPEN = ("backlog", "in_progress", "blocked")
SOON = 3  # days
DEEPEST = 7  # levels below a task without a parent


@dataclass(slots=True)
class Ledger:
    """What one firm has, by id; `bulks` are changes of many tasks, and `gone` marks what is in the trash."""

    firm: Firm
    mark: str = field(default_factory=lambda: f"q{secrets.token_hex(5)}")
    projects: dict[str, Row] = field(default_factory=dict)
    tasks: dict[str, Row] = field(default_factory=dict)
    labels: dict[str, Row] = field(default_factory=dict)
    comments: dict[str, Row] = field(default_factory=dict)
    links: dict[str, Row] = field(default_factory=dict)
    bulks: dict[str, Row] = field(default_factory=dict)

    @property
    def members(self) -> list[str]:
        return [str(caller.member) for caller in self.firm.people.values()]

    @property
    def words(self) -> set[str]:
        """What nobody of another firm may read: the firm's mark and every id."""
        kinds = (self.projects, self.tasks, self.labels, self.comments, self.links, self.bulks)
        return {self.mark, str(self.firm.tenant), *self.members, *(one for kind in kinds for one in kind)}

    def live(self, kind: str) -> dict[str, Row]:
        return {id_: row for id_, row in getattr(self, kind).items() if not row.get("gone")}

    def below(self, task: str) -> Iterator[str]:
        """Yield a task and everything below it, in the trash or not."""
        yield task
        for id_, row in self.tasks.items():
            if row["parent_id"] == task:
                yield from self.below(id_)

    def depth(self, task: str) -> int:
        parent = self.tasks[task]["parent_id"]
        return 0 if parent is None else 1 + self.depth(parent)

    def height(self, task: str) -> int:
        return max(self.depth(one) for one in self.below(task)) - self.depth(task)

    def waits_for(self, task: str) -> set[str]:
        """Return everything that has to come before a task, over any number of steps."""
        near = {row["before"] for row in self.links.values() if row["after"] == task}
        return near.union(*(self.waits_for(one) for one in near))

    def unfinished(self, task: str) -> list[str]:
        """Return the tasks whose end a task waits for."""
        before = [row["before"] for row in self.links.values() if row["after"] == task]
        return [one for one in before if not self.tasks[one]["gone"] and self.tasks[one]["status"] != "done"]

    def trash(self, task: str) -> None:
        for one in self.below(task):
            self.tasks[one]["gone"] = self.tasks[one]["gone"] or task

    def restore(self, task: str) -> None:
        """Bring a task back with what went with it, on top where its parent is gone."""
        row, tree = self.tasks[task], list(self.below(task))
        if row["parent_id"] is not None and self.tasks[row["parent_id"]]["gone"]:
            row["parent_id"] = None
        with_it = row["gone"]
        for one in tree:
            if self.tasks[one]["gone"] == with_it:
                self.tasks[one]["gone"] = None

    def listed_projects(self) -> dict[str, Row]:
        return {id_: {"name": row["name"], "status": row["status"]} for id_, row in self.live("projects").items()}

    def listed_tasks(self) -> dict[str, Row]:
        """Return the live tasks as a list shows them."""
        return {id_: {k: v for k, v in row.items() if k != "gone"} for id_, row in self.live("tasks").items()}

    def listed_trash(self, kind: str) -> set[str]:
        rows: dict[str, Row] = getattr(self, kind)
        return {id_ for id_, row in rows.items() if row["gone"] == id_}

    def links_of(self, task: str) -> set[tuple[str, str, str]]:
        """Return a task's links as it shows them: id, direction, the other task; what is in the trash is not shown."""
        found = {(id_, "predecessor", row["before"]) for id_, row in self.links.items() if row["after"] == task}
        found |= {(id_, "successor", row["after"]) for id_, row in self.links.items() if row["before"] == task}
        return {link for link in found if not self.tasks[link[2]]["gone"]}

    def figures(self) -> Row:
        """Return the totals of the dashboard."""
        tasks = self.live("tasks").values()
        by = Counter(row["status"] for row in tasks)
        today, soon = self.day(0), self.day(SOON)
        due = [row["due_on"] for row in tasks if row["status"] in OPEN and row["due_on"] is not None]
        return {
            "total_projects": len(self.live("projects")),
            "active_projects": sum(row["status"] == "active" for row in self.live("projects").values()),
            "total_tasks": sum(by.values()),
            "done_tasks": by["done"],
            "in_progress_tasks": by["in_progress"],
            "blocked_tasks": by["blocked"],
            "overdue_tasks": sum(day < today for day in due),
            "due_soon_tasks": sum(today <= day <= soon for day in due),
            "members_total": len(self.members),
        }

    def day(self, ahead: int) -> str:
        """Return the date so many days from the firm's today."""
        return (self.firm.scope().today + timedelta(days=ahead)).isoformat()
