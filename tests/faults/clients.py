"""Clients that write through the API whatever happens to the other side, and keep a history of what they were told."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.history import CHANGERS, Entry

#: Longest time for one operation with all its repetitions.
PATIENCE = 120.0
#: Share of the operations that are not repeated when their outcome is unknown.
RESIGNATION = 0.3
_PAUSE = 0.15
_BUSY = {409: "IDEMPOTENCY_KEY_CONFLICT", 429: ""}
_NEXT = {"backlog": "in_progress", "in_progress": "blocked", "blocked": "in_progress"}
APP = "/api/v1/app"


@dataclass(slots=True)
class Ground:
    """What the clients of one round share: a project, and some tasks that everybody changes."""

    project: str
    shared: list[str] = field(default_factory=list)
    history: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Client:
    """One program with a token of its own. It repeats a request under the same key until the answer is definite."""

    number: int
    label: str
    http: httpx.AsyncClient
    ground: Ground
    dice: random.Random
    own: list[str] = field(default_factory=list)
    count: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what is under way is brought to its end."""
        ways = [self.create, self.move, self.move, self.comment, self.bulk, self.read, self.read, self.invite]
        await self.create()
        while not stop.is_set():
            await self.dice.choice(ways)()
            await asyncio.sleep(self.dice.uniform(0.0, 0.05))

    async def create(self) -> None:
        name = self._name()
        answer = await self._write("create", f"{APP}/projects/{self.ground.project}/tasks", {"name": name}, name=name)
        if answer:
            self.own.append(answer["id"])

    async def comment(self) -> None:
        name, task = self._name(), self._task()
        await self._write("comment", f"{APP}/tasks/{task}/comments", {"body": name}, name=name)

    async def invite(self) -> None:
        name = f"{self._name()}@kill.test"
        await self._write("invite", f"{APP}/invitations", {"email": name, "role": "viewer"}, name=name)

    async def move(self) -> None:
        seen = await self.read()
        if seen is None:
            return
        # With the version: a move to where somebody else has moved it meanwhile would be none, and be told as done.
        wish = {"status": _NEXT[seen["status"]], "reason": "because", "version": seen["version"]}
        await self._write("move", f"{APP}/tasks/{seen['id']}/move", wish, tasks=[seen["id"]])

    async def bulk(self) -> None:
        tasks = self.dice.sample(self.ground.shared, min(3, len(self.ground.shared)))
        self.count += 1
        # An estimate that was never there before: each change is one.
        wish = {"ids": tasks, "set": {"estimate_min": self.number + 10 * self.count}}
        await self._write("bulk", f"{APP}/tasks/bulk", wish, tasks=tasks)

    async def read(self) -> Any:
        entry = self._begun("read", tasks=[self._task()])
        answer = await self._ask("GET", f"{APP}/tasks/{entry.tasks[0]}", None, {})
        if answer is None or answer.status_code != httpx.codes.OK:
            return None
        seen = answer.json()
        entry.versions[seen["id"]] = seen["version"]
        self._ended(entry, "ok")
        return seen

    async def _write(self, op: str, path: str, body: dict[str, Any], **args: Any) -> Any:
        self.count += 1
        entry = self._begun(op, **args)
        key = {"idempotency-key": f"{self.label}-{self.count}"}
        resigns = self.dice.random() < RESIGNATION
        while True:
            answer = await self._ask("POST", path, body, key)
            if answer is not None and not _is_busy(answer):
                return self._settle(entry, answer)
            if answer is None and resigns:
                self._ended(entry, "unknown")
                return None
            assert time.monotonic() - entry.start < PATIENCE, f"{op} got no answer: {answer and answer.text}"
            entry.attempts += 1
            await asyncio.sleep(_PAUSE)

    async def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response | None:
        """Return the answer, None where nobody knows what became of the request."""
        try:
            answer = await self.http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            return None
        return answer if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR else None

    def _settle(self, entry: Entry, answer: httpx.Response) -> Any:
        if answer.is_error:
            entry.args["refusal"] = answer.text[:300]
            self._ended(entry, "fail")
            return None
        told = answer.json()
        if entry.op == "bulk":
            changed = [one for one in told["data"] if one["ok"]]
            assert len(changed) == len(entry.tasks), told
            entry.versions = {one["id"]: one["version"] for one in changed}
        elif entry.op in {*CHANGERS, "create"}:
            entry.versions = {told["id"]: told["version"]}
        self._ended(entry, "ok")
        return told

    def _begun(self, op: str, **args: Any) -> Entry:
        return Entry(self.number, op, args, start=time.monotonic())

    def _ended(self, entry: Entry, result: Any) -> None:
        entry.end, entry.result = time.monotonic(), result
        self.ground.history.append(entry)

    def _name(self) -> str:
        self.count += 1
        return f"{self.label}-n{self.count}"

    def _task(self) -> str:
        return self.dice.choice([*self.own[-5:], *self.ground.shared])


def _is_busy(answer: httpx.Response) -> bool:
    code = _BUSY.get(answer.status_code)
    return code is not None and code in answer.text
