"""A walk without aim: whoever it may be, on whatever address, with ids of whichever firm."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from tests.conformance.crawl import PARAMETER, SAFE, Route, form_headers, told
from tests.conformance.scene import Scene
from tests.factories.firms import As
from tests.matrix import Row
from tests.matrix.world import all_rows
from zena.accounts.permissions import Role

#: What may stand in a path and belongs to nobody: a number is too short not to be met by chance.
SHARED = frozenset({"version", "path", "number"})
#: So many of a firm's newest ids of one kind are drawn from.
KEPT = 8
#: Fields whose text is stored: it gets the mark of the firm that sends it.
TEXTS = frozenset({"name", "body", "description", "reason", "email"})
#: The kind of id that making something tells, by the end of the address.
MADE = {
    "/projects": "project_id",
    "/projects/{project_id}/duplicate": "project_id",
    "/tasks": "task_id",
    "/tasks/{task_id}/duplicate": "task_id",
    "/labels": "label_id",
    "/comments": "comment_id",
    "/imports": "import_id",
}
#: Whoever was put out comes back as they were: the walk wants six live roles in every firm.
_REVIVE = """
WITH people AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::uuid[], $6::text[])
                    AS p(session, tenant, hash, secret, member, role)),
     back AS (UPDATE membership m SET role = p.role, ended_at = NULL FROM people p
               WHERE m.tenant_id = p.tenant AND m.id = p.member)
UPDATE session s SET revoked_at = NULL, authenticated_at = now(), last_seen_at = now(), stage = 'full',
       token_hash = p.hash, form_secret = p.secret, active_tenant = p.tenant
  FROM people p WHERE s.id = p.session"""
_HEADS = "SELECT tenant_id, position, audit_position FROM tenant_head WHERE tenant_id = ANY($1)"


class Drawn(Mapping[str, str]):
    """Ids drawn by name, each from a firm of its own; remembers what was asked for and whose it was."""

    def __init__(self, dice: random.Random, pools: Mapping[str, Mapping[str, list[str]]]) -> None:
        self._dice, self._pools = dice, pools
        self.found: dict[str, str] = {}
        self.owners: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self.found:
            mark = self._dice.choice([mark for mark, pool in self._pools.items() if pool.get(name)])
            self.found[name] = self._dice.choice(self._pools[mark][name])
            if name not in SHARED:
                self.owners[name] = mark
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True, slots=True)
class Step:
    """One request as it was sent, and what came back."""

    route: Route
    scene: Scene
    role: str
    path: Drawn
    body: Drawn
    answer: httpx.Response

    @property
    def sent(self) -> dict[str, str]:
        """Return every id that the caller named; what is nobody's is left out."""
        both = [*self.path.found.items(), *((f"body {name}", value) for name, value in self.body.found.items())]
        return {name: value for name, value in both if name not in SHARED}

    @property
    def reaches_out(self) -> bool:
        """Tell whether its path names something of another firm; a secret link belongs to whoever holds it."""
        return any(mark != self.scene.mark for name, mark in self.path.owners.items() if name != "token")

    def __str__(self) -> str:
        ids = f"{self.path.found} {self.body.found}"
        return f"{self.role} {self.route.method} {self.route.path} {ids}: {self.answer.status_code}"


@dataclass(slots=True)
class Walk:
    """Where it may go, and what each firm has to be found."""

    dice: random.Random
    scenes: Sequence[Scene]
    routes: Sequence[Route]
    ops: asyncpg.Connection
    pools: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _deck: list[Route] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pools = {scene.mark: {name: [value] for name, value in scene.ids.items()} for scene in self.scenes}
        self.rows = {(row.method, PARAMETER.sub(r"{\1}", row.path)): row for row in all_rows()}

    async def step(self) -> Step:
        """Take the next address of a shuffled round of all, as anybody."""
        if not self._deck:
            self._deck = self.dice.sample(self.routes, len(self.routes))
        route, scene, role = self._deck.pop(), self.dice.choice(self.scenes), self.dice.choice(list(Role))
        path, body = Drawn(self.dice, self.pools), Drawn(self.dice, self.pools)
        speaker = scene.by(role)
        row = self.rows[route.method, route.path]
        options = _content(row, body, scene.mark, speaker) if route.method not in SAFE else {}
        answer = await speaker.send(route.method, route.at(path) + row.query, **options)
        made = Step(route, scene, role, path, body, answer)
        self._keep(made)
        if _is_out(answer) or (route.method not in SAFE and answer.status_code < 400):
            await self.revive(scene)
        return made

    async def heads(self) -> dict[str, tuple[int, int]]:
        """Return how far the records of each firm have come: whatever happens in a firm moves its own."""
        marks = {scene.firm.tenant: scene.mark for scene in self.scenes}
        rows = await self.ops.fetch(_HEADS, list(marks))
        return {marks[row["tenant_id"]]: (row["position"], row["audit_position"]) for row in rows}

    async def revive(self, scene: Scene) -> None:
        """Bring everybody of a firm back: signed in a moment ago, in the role they had."""
        people = list(scene.firm.people.values())
        await self.ops.execute(
            _REVIVE,
            [caller.session for caller in people],
            [scene.firm.tenant] * len(people),
            [hashlib.sha256(caller.cookie.encode()).digest() for caller in people],
            [caller.form_secret for caller in people],
            [caller.member for caller in people],
            [str(caller.role) for caller in people],
        )

    def leaks(self, step: Step) -> set[str]:
        """Return what the answer tells of the other firms."""
        return set().union(
            *(told(step.answer, self._words(one), step.sent) for one in self.scenes if one is not step.scene)
        )

    def _words(self, scene: Scene) -> set[str]:
        found = {
            value.lower() for name, values in self.pools[scene.mark].items() if name not in SHARED for value in values
        }
        return scene.canaries | found

    def _keep(self, step: Step) -> None:
        """Draw what was just made from now on, too."""
        ends = [name for end, name in MADE.items() if step.route.path.endswith(end)]
        if step.answer.status_code == httpx.codes.CREATED and ends:
            pool = self.pools[step.scene.mark][ends[-1]]
            pool.append(step.answer.json()["id"])
            del pool[1:-KEPT]


def _content(row: Row, ids: Drawn, mark: str, speaker: As) -> dict[str, Any]:
    """Return what the row of the matrix sends, with ids drawn and texts marked; and what our own pages add."""
    options: dict[str, Any] = {"headers": dict(row.headers(ids)) if row.headers else {}}
    if row.json:
        options["json"] = _marked(row.json(ids), mark)
    if row.files:
        options["files"] = row.files(ids)
    if row.form is not None:
        options["data"] = _marked(dict(row.form(ids)), mark)
    if row.form is not None or row.files:
        options["headers"] |= form_headers(speaker)
    return options


def _marked(value: Any, mark: str) -> Any:
    """Write a firm's mark into every text that may be kept."""
    if not isinstance(value, dict):
        return value
    texts = {name: f"{mark}{text}" for name, text in value.items() if name in TEXTS and isinstance(text, str)}
    return value | texts


def _is_out(answer: httpx.Response) -> bool:
    """Tell whether an answer sends its caller to sign in or to confirm who they are."""
    return answer.status_code == httpx.codes.UNAUTHORIZED or answer.headers.get("location", "").startswith(
        ("/sign-in", "/confirm", "/firms")
    )
