"""B01, B03, B09: two firms in one database, whatever they do in whatever order: each has what it made, and no more."""

from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import pytest
from anyio import from_thread, to_thread
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.conformance.crawl import same_answer
from tests.conformance.ledger import DEEPEST, MOVES, Ledger, Row
from tests.conformance.reaches import REACHES, reach
from tests.conformance.scene import ANY_VERSION, APP
from tests.factories import make_firm
from zena.kit.state import State

EXAMPLES, STEPS = 12, 20
#: Of each night: so many runs of EXAMPLES, each of so many steps.
RUNS, LONG = 25, 50
WHO, PICK = st.integers(0, 1), st.integers(0, 11)
STATUS = st.sampled_from([*MOVES, "in_progress", "done"])
DUE = st.sampled_from([None, -10, 1, 30])  # no day that midnight would turn into another kind
DONE = frozenset({200, 201, 204})


class TwoFirms(RuleBasedStateMachine):
    """Two owners at work, each in a firm of their own, each trying the other's ids too."""

    app: ClassVar[State]
    http: ClassVar[httpx.AsyncClient]

    @initialize()
    def open_for_business(self) -> None:
        """Two firms with one of everything, so that there is something to reach for."""
        self.books = [Ledger(from_thread.run(make_firm, self.app.db)) for _ in range(2)]
        for who in range(2):
            self.make_project(who, 0)
            for pick in range(2):
                self.make_task(who, pick, 11, None)
            self.make_label(who, 0)
            self.say(who, 0, 0)
            self.link(who, 0, 1)
            self.change_many(who, 0, 0, 30)

    def ask(self, book: Ledger, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request as the owner; nothing that comes back may name what is the other firm's."""
        send = partial(book.firm.client(self.http).send, method, f"{APP}/{path}", json=body, headers=ANY_VERSION)
        answer: httpx.Response = from_thread.run(send)
        other = self.books[1 - self.books.index(book)]
        heard = {word for word in other.words if word in answer.text}
        assert heard <= {word for word in other.words if word in f"{path} {body}"}, f"{method} {path} {body}: {heard}"
        return answer

    def tell(
        self, book: Ledger, method: str, path: str, body: Any = None, *, status: int | None = None
    ) -> httpx.Response | None:
        """Send what has to be taken, or refused with this status; return the answer, None for a refusal."""
        answer = self.ask(book, method, path, body)
        fine = answer.status_code in DONE if status is None else answer.status_code == status
        assert fine, f"{method} {path} {body}: {answer.status_code}, not {status}: {answer.text[:500]}"
        return answer if status is None else None

    @rule(who=WHO, a=PICK)
    def make_project(self, who: int, a: int) -> None:
        book = self.books[who]
        made = self.tell(book, "POST", "projects", {"name": f"Project {a} {book.mark}"})
        assert made
        book.projects[made.json()["id"]] = {"name": f"Project {a} {book.mark}", "status": "planning", "gone": None}

    @rule(who=WHO, a=PICK, b=PICK)
    def rename_project(self, who: int, a: int, b: int) -> None:
        book = self.books[who]
        project, row = _pick(book.projects, a)
        name = f"Renamed {b} {book.mark}"
        if self.tell(book, "PATCH", f"projects/{project}", {"name": name}, status=404 if row["gone"] else None):
            row["name"] = name

    @rule(who=WHO, a=PICK)
    def start_project(self, who: int, a: int) -> None:
        book = self.books[who]
        project, row = _pick(book.projects, a)
        wish = {"status": "active"}
        if self.tell(book, "POST", f"projects/{project}/status", wish, status=404 if row["gone"] else None):
            row["status"] = "active"

    @rule(who=WHO, a=PICK)
    def trash_project(self, who: int, a: int) -> None:
        book = self.books[who]
        project, row = _pick(book.projects, a)
        full = any(task["project_id"] == project for task in book.tasks.values())
        status = 404 if row["gone"] else 409 if full else None
        if self.tell(book, "POST", f"projects/{project}/trash", status=status):
            row["gone"] = project

    @rule(who=WHO, a=PICK)
    def restore_project(self, who: int, a: int) -> None:
        book = self.books[who]
        project, row = _pick(book.projects, a)
        if self.tell(book, "POST", f"projects/{project}/restore", status=None if row["gone"] else 404):
            row["gone"] = None

    @rule(who=WHO, a=PICK, b=PICK, due=DUE)
    def make_task(self, who: int, a: int, b: int, due: int | None) -> None:
        """A task in any project, under any task, with somebody and a label: refused where the two do not fit."""
        book = self.books[who]
        project, ground = _pick(book.projects, a)
        parent, above = _pick(book.tasks, b) if b % 3 == 0 and book.tasks else (None, None)
        row: Row = {"name": f"Task {b} {book.mark}", "project_id": project, "parent_id": parent, "status": "backlog"}
        row |= {"assignees": [book.members[b % 6]] if b % 2 else [], "labels": list(book.labels)[: b % 2]}
        row["due_on"] = None if due is None else book.day(due)
        unfit = above is not None and (above["gone"] or above["project_id"] != project)
        status = 404 if ground["gone"] or unfit else 422 if parent and book.depth(parent) >= DEEPEST else None
        body = {name: value for name, value in row.items() if name not in {"project_id", "status"}}
        made = self.tell(book, "POST", f"projects/{project}/tasks", body, status=status)
        if made:
            book.tasks[made.json()["id"]] = row | {"gone": None}

    @rule(who=WHO, a=PICK, b=PICK, due=DUE)
    def edit_task(self, who: int, a: int, b: int, due: int | None) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        wish = {"name": f"Edited {b} {book.mark}", "due_on": None if due is None else book.day(due)}
        if self.tell(book, "PATCH", f"tasks/{task}", wish, status=404 if row["gone"] else None):
            row.update(wish)

    @rule(who=WHO, a=PICK, b=PICK)
    def put_under(self, who: int, a: int, b: int) -> None:
        book = self.books[who]
        (task, row), (parent, above) = _pick(book.tasks, a), _pick(book.tasks, b)
        status = 404 if row["gone"] else None
        if status is None and parent != row["parent_id"]:
            deep = book.depth(parent) + 1 + book.height(task) > DEEPEST
            unfit = above["gone"] or above["project_id"] != row["project_id"]
            status = 422 if parent in set(book.below(task)) else 404 if unfit else 422 if deep else None
        if self.tell(book, "PATCH", f"tasks/{task}", {"parent_id": parent}, status=status):
            row["parent_id"] = parent

    @rule(who=WHO, a=PICK, to=STATUS)
    def move(self, who: int, a: int, to: str) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        allowed = to == row["status"] or to in MOVES[row["status"]]
        waits = to == "in_progress" != row["status"] and book.unfinished(task)
        status = 404 if row["gone"] else 422 if not allowed or waits else None
        if self.tell(book, "POST", f"tasks/{task}/move", {"status": to, "reason": book.mark}, status=status):
            row["status"] = to

    @rule(who=WHO, a=PICK, b=PICK, due=DUE)
    def change_many(self, who: int, a: int, b: int, due: int | None) -> None:
        """Two tasks get a day together, unless they are in the trash; every other time it is taken back at once."""
        book = self.books[who]
        tasks = dict([_pick(book.tasks, a), _pick(book.tasks, b)])
        live = [row for row in tasks.values() if not row["gone"]]
        wish = {"due_on": None if due is None else book.day(due)}
        answer = self.tell(book, "POST", "tasks/bulk", {"ids": list(tasks), "set": wish})
        assert answer
        made = answer.json()
        assert (made["changed"], made["refused"]) == (len(live), len(tasks) - len(live))
        if made["id"] is not None:
            book.bulks[made["id"]] = wish
        if made["id"] is not None and b % 2:
            self.tell(book, "POST", f"tasks/bulk/{made['id']}/undo")
            return
        for row in live:
            row.update(wish)

    @rule(who=WHO, a=PICK)
    def trash_task(self, who: int, a: int) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        if self.tell(book, "POST", f"tasks/{task}/trash", status=404 if row["gone"] else None):
            book.trash(task)

    @rule(who=WHO, a=PICK)
    def restore_task(self, who: int, a: int) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        if self.tell(book, "POST", f"tasks/{task}/restore", status=None if row["gone"] else 404):
            book.restore(task)

    @rule(who=WHO, a=PICK, b=PICK)
    def assign(self, who: int, a: int, b: int) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        people = book.members[b % 6 : b % 6 + 2]
        if self.tell(book, "POST", f"tasks/{task}/assign", {"assignees": people}, status=404 if row["gone"] else None):
            row["assignees"] = people

    @rule(who=WHO, a=PICK, b=PICK)
    def put_labels(self, who: int, a: int, b: int) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        labels = list(book.labels)[b % 2 : b % 2 + 2]
        if self.tell(book, "POST", f"tasks/{task}/labels", {"labels": labels}, status=404 if row["gone"] else None):
            row["labels"] = labels

    @rule(who=WHO, a=PICK)
    def make_label(self, who: int, a: int) -> None:
        book = self.books[who]
        row = {"name": f"Label {a % 5} {book.mark}", "hue": a}
        taken = row["name"] in {label["name"] for label in book.labels.values()}
        made = self.tell(book, "POST", "labels", row, status=422 if taken else None)
        if made:
            book.labels[made.json()["id"]] = row

    @rule(who=WHO, a=PICK)
    def drop_label(self, who: int, a: int) -> None:
        book = self.books[who]
        if not book.labels:
            return
        label, _ = _pick(book.labels, a)
        self.tell(book, "DELETE", f"labels/{label}")
        del book.labels[label]
        for row in book.tasks.values():
            row["labels"] = [one for one in row["labels"] if one != label]

    @rule(who=WHO, a=PICK, b=PICK)
    def say(self, who: int, a: int, b: int) -> None:
        book = self.books[who]
        task, row = _pick(book.tasks, a)
        body = {"body": f"Said {b} {book.mark}"}
        made = self.tell(book, "POST", f"tasks/{task}/comments", body, status=404 if row["gone"] else None)
        if made:
            book.comments[made.json()["id"]] = body | {"task": task}

    @rule(who=WHO, a=PICK)
    def unsay(self, who: int, a: int) -> None:
        book = self.books[who]
        if not book.comments:
            return
        comment, row = _pick(book.comments, a)
        if self.tell(book, "DELETE", f"comments/{comment}", status=404 if book.tasks[row["task"]]["gone"] else None):
            del book.comments[comment]

    @rule(who=WHO, a=PICK, b=PICK)
    def link(self, who: int, a: int, b: int) -> None:
        """One task waits for another: not for itself, not twice, not in a circle."""
        book = self.books[who]
        (after, row), (before, other) = _pick(book.tasks, a), _pick(book.tasks, b)
        pairs = {(one["after"], one["before"]) for one in book.links.values()}
        status = 404 if row["gone"] or other["gone"] else None
        if status is None and (after == before or after in book.waits_for(before)):
            status = 422
        elif status is None and (after, before) in pairs:
            status = 409
        made = self.tell(book, "POST", f"tasks/{after}/dependencies", {"predecessor_id": before}, status=status)
        if made:
            (new,) = {one["id"] for one in made.json()["data"] if one["task_id"] == before} - set(book.links)
            book.links[new] = {"after": after, "before": before}

    @rule(who=WHO, a=PICK)
    def unlink(self, who: int, a: int) -> None:
        book = self.books[who]
        if not book.links:
            return
        link, row = _pick(book.links, a)
        status = 404 if book.tasks[row["after"]]["gone"] else None
        if self.tell(book, "DELETE", f"tasks/{row['after']}/dependencies/{link}", status=status):
            del book.links[link]

    @rule(who=WHO, a=PICK, first=st.integers(0, len(REACHES) - 1))
    def reach_over(self, who: int, a: int, first: int) -> None:
        for which in range(first, first + 4):
            self.try_to_reach(who, a, which % len(REACHES))

    def try_to_reach(self, who: int, a: int, which: int) -> None:
        """The other firm's ids, trashed things too, read like ids that nobody has, wherever they are put."""
        book, other = self.books[who], self.books[1 - who]
        own = {"own_member": book.members[a % 6], "own_project": _some(book.live("projects"), a)}
        own["own_task"] = _some(book.live("tasks"), a)
        theirs = {"member": other.members[a % 6]}
        for kind in ("project", "task", "label", "comment", "link", "bulk"):
            theirs[kind] = _some(getattr(other, f"{kind}s"), a)
        answers = []
        for ids in (theirs, {name: str(uuid4()) for name in theirs}):
            method, path, body, named = reach(which, ids | own)
            answers.append(same_answer(self.ask(book, method, path, body), named))
        assert answers[0] == answers[1], f"{method} {path} {body}"
        assert answers[0][0] == 404 or '"changed":0' in answers[0][2], f"{method} {path} {body}: {answers[0]}"

    @invariant()
    def each_has_its_own(self) -> None:
        for book in getattr(self, "books", []):
            self.check_lists(book)
            figures = self.ask(book, "GET", "dashboard").json()["data"]
            assert {name: figures[name] for name in book.figures()} == book.figures()

    def check_lists(self, book: Ledger) -> None:
        projects = self.rows(book, "projects?limit=100", "name", "status")
        assert projects == book.listed_projects()
        tasks = self.rows(
            book, "tasks?limit=100", "name", "project_id", "parent_id", "status", "assignee_ids", "label_ids", "due_on"
        )
        assert {id_: _by_name(row) for id_, row in tasks.items()} == {
            id_: _by_name(row) for id_, row in book.listed_tasks().items()
        }
        assert self.rows(book, "labels", "name", "hue") == book.labels
        for kind in ("projects", "tasks"):
            assert set(self.rows(book, f"{kind}/trash?limit=100")) == book.listed_trash(kind)

    def rows(self, book: Ledger, path: str, *names: str) -> dict[str, Row]:
        """Return the rows of a list by id, with these fields."""
        answer = self.ask(book, "GET", path)
        assert answer.status_code == 200, answer.text
        return {row["id"]: {name: row[name] for name in names} for row in answer.json()["data"]}

    def teardown(self) -> None:
        """At the end one firm tries everything; then each comment and link of both is looked at, once."""
        for which in range(len(REACHES) if hasattr(self, "books") else 0):
            self.try_to_reach(which % 2, which, which)
        self.each_has_its_own()
        for book in getattr(self, "books", []):
            for task in book.live("tasks"):
                said = {id_: {"body": row["body"]} for id_, row in book.comments.items() if row["task"] == task}
                assert self.rows(book, f"tasks/{task}/comments", "body") == said
                links = self.ask(book, "GET", f"tasks/{task}/dependencies").json()["data"]
                assert {(one["id"], one["direction"], one["task_id"]) for one in links} == book.links_of(task)


def _pick(rows: dict[str, Row], number: int) -> tuple[str, Row]:
    return list(rows.items())[number % len(rows)]


def _some(rows: dict[str, Row], number: int) -> str:
    """Return the id of one of these; of nothing where there is none, which reads the same."""
    return _pick(rows, number)[0] if rows else str(uuid4())


def _by_name(row: Row) -> Row:
    """Return a task's row whichever side it comes from: people and labels are sets."""
    people, labels = (row.get(f"{one}_ids", row.get(f"{one}s")) for one in ("assignee", "label"))
    plain = {name: value for name, value in row.items() if not name.startswith(("assignee", "label"))}
    return plain | {"assignees": sorted(people or []), "labels": sorted(labels or [])}


@pytest.mark.proof
async def test_B03_two_firms_never_meet(state: State, http: httpx.AsyncClient) -> None:
    """The same steps for every commit."""
    await _played(state, http, STEPS, derandomize=True)


@pytest.mark.nightly
@pytest.mark.parametrize("_run", range(RUNS))
async def test_B03_two_firms_never_meet_whatever_they_do(state: State, http: httpx.AsyncClient, _run: int) -> None:
    """Other steps each night."""
    await _played(state, http, LONG, derandomize=False)


async def _played(state: State, http: httpx.AsyncClient, steps: int, *, derandomize: bool) -> None:
    """Let chance play both firms. The machine is synchronous: it runs in a thread and speaks through this loop."""
    machine = type("TwoFirmsHere", (TwoFirms,), {"app": state, "http": http})
    how = settings(
        max_examples=EXAMPLES,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        phases=[Phase.reuse, Phase.generate],  # told as it was played: to make it shorter takes longer than a test may
        suppress_health_check=list(HealthCheck),
    )
    await to_thread.run_sync(partial(run_state_machine_as_test, machine, settings=how))
