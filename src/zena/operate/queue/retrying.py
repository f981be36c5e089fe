"""Retrying many held jobs without a storm: one first, then ten, then five a second, and no further once one fails.

Whatever is not queued again stays held, so an interruption at any moment loses nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from zena.kit.db import Raw
from zena.kit.queue.failures import Failure, fingerprint_of, requeue

_FIRST: Final = 10
_PER_SECOND: Final = 5
_LOOK: Final = 0.2
#: How a worker that is stopped hands a job back: that says nothing about the job.
_HANDED_BACK: Final = "the worker was stopped"
_ONE_AT_A_TIME: Final = 7_305_112_901

_SINCE: Final = """
SELECT log.job_id, log.status::text, log.traceback ->> 'exception_type' AS error,
       log.traceback ->> 'exception_message' AS message, right(log.traceback ->> 'traceback', 8000) AS traceback
FROM queue.pgqueuer_log AS log JOIN unnest($1::bigint[], $2::bigint[]) AS mine (job_id, mark)
  ON mine.job_id = log.job_id AND log.id > mine.mark
WHERE log.status <> 'picked' ORDER BY log.id
"""

Tell = Callable[[str], None]


class Busy(Exception):  # noqa: N818 - a state of affairs, not an error
    """Another retry is under way."""


@dataclass(slots=True)
class Group:
    """Held jobs that failed alike, and what became of them. `stopped` says why the rest was left held."""

    fingerprint: str
    kinds: list[str]
    jobs: int
    retried: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    running: int = 0
    left: int = 0
    stopped: str | None = None
    out_of_time: bool = False
    marks: dict[int, int] = field(default_factory=dict)


async def retry(conn: Raw, held: Iterable[Failure], *, patience: float, tell: Tell) -> list[Group]:
    """Queue held jobs again, those that failed alike together, oldest first; Busy while somebody else does so.

    `patience` is how many seconds a wave may take to end.
    """
    if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", _ONE_AT_A_TIME):
        raise Busy
    try:
        return [await _Retry(conn, jobs, patience, tell).run() for jobs in _alike(held)]
    finally:
        await conn.execute("SELECT pg_advisory_unlock($1)", _ONE_AT_A_TIME)


def _alike(held: Iterable[Failure]) -> Iterator[list[Failure]]:
    groups: dict[str, list[Failure]] = {}
    for failure in sorted(held, key=lambda one: one.id):
        groups.setdefault(failure.fingerprint, []).append(failure)
    yield from groups.values()


class _Retry:
    """One group on its way back."""

    def __init__(self, conn: Raw, jobs: list[Failure], patience: float, tell: Tell) -> None:
        self.conn, self.jobs, self.patience, self.tell = conn, jobs, patience, tell
        self.group = Group(jobs[0].fingerprint, sorted({job.kind for job in jobs}), len(jobs))

    async def run(self) -> Group:
        waiting, group = list(self.jobs), self.group
        for size in (1, _FIRST):
            await self._queue(waiting, size)
            await self._ended()
        if waiting and group.stopped is None:
            await self._trickle(waiting)
            await self._ended()
        group.left, group.running = len(waiting), len(group.marks)
        return group

    async def _trickle(self, waiting: list[Failure]) -> None:
        while waiting and self.group.stopped is None:
            await self._queue(waiting, _PER_SECOND)
            await asyncio.sleep(1)
            await self._look()

    async def _queue(self, waiting: list[Failure], size: int) -> None:
        """Queue up to `size` of them; one whose work another job will do counts as skipped, and takes no place."""
        group, queued = self.group, 0
        while waiting and queued < size and group.stopped is None:
            mark = await requeue(self.conn, waiting[0].id)
            job = waiting.pop(0)
            if mark is None:
                group.skipped += 1
                continue
            queued += 1
            group.retried += 1
            group.marks[job.id] = mark
        if queued:
            self.tell(f"{group.fingerprint}: {group.retried} of {group.jobs} queued again")

    async def _ended(self) -> None:
        """Wait until all that are under way have ended, one fails, or patience ends."""
        if self.group.stopped is not None:
            return
        try:
            async with asyncio.timeout(self.patience):
                while self.group.marks and self.group.stopped is None:
                    await self._look()
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            self.group.out_of_time = True
            still = len(self.group.marks)
            self.group.stopped = (
                f"{still} did not end within {self.patience:g} s: `zena why job {min(self.group.marks)}`"
            )

    async def _look(self) -> None:
        group = self.group
        for row in await self.conn.fetch(_SINCE, list(group.marks), list(group.marks.values())):
            if row["job_id"] not in group.marks or row["message"] == _HANDED_BACK:
                continue
            del group.marks[row["job_id"]]
            if row["error"] is None and row["status"] in {"successful", "queued"}:  # queued: it postponed itself
                group.done += 1
            elif row["error"] is None:
                group.skipped += 1  # somebody took it away
            else:
                group.failed += 1
                group.stopped = group.stopped or self._why(row["error"], row["message"], row["traceback"])

    def _why(self, error: str, message: str | None, traceback: str | None) -> str:
        again, where = fingerprint_of(error, message or "", traceback or "")
        if again == self.group.fingerprint:
            return "a job failed again in the same way"
        return f"a job failed in another way ({again}, {where or 'not in our code'}): {(message or error)[:200]}"
