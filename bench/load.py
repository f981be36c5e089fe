"""Load client: some keep-alive connections, each sends its next request when the last answer has come whole.

Runs as a process of its own (`python -m bench.load`): a Job as JSON on standard input, on standard output a list of
Measured as JSON: one, or those with measuring on and off. Reads answers with a Content-Length only, which is what all
of ours have.
"""

import asyncio
import itertools
import os
import signal
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import cast

import msgspec
import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_GRACE = 30.0
#: Seconds between two switches, and until one is felt.
_TURN, _SETTLES = 0.2, 0.02


class Shot(msgspec.Struct, frozen=True):
    """One request. An untimed one prepares the next and is left out of the figures."""

    path: str
    method: str = "GET"
    body: str | None = None
    timed: bool = True
    headers: dict[str, str] = {}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where: each connection walks round the shots from a place of its own."""

    host: str
    port: int
    shots: list[Shot]
    connections: int = 16
    seconds: float = 5.0
    warm: float = 1.0
    switched: int | None = None  # the process of bench.switched whose measuring is switched off and on meanwhile


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Times in milliseconds, of timed requests that were answered 2xx."""

    requests: int
    seconds: float
    rate: float
    p50: float
    p95: float
    p99: float
    worst: float
    statuses: dict[str, int]

    @property
    def failures(self) -> int:
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))


def encode(shot: Shot, host: str) -> bytes:
    """Return a request's bytes."""
    body = (shot.body or "").encode()
    lines = [f"{shot.method} {shot.path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in shot.headers.items()]
    if shot.body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of sorted values; 0 for none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Run:
    """The clock and the score board shared by all connections."""

    def __init__(self, job: Job) -> None:
        self.requests = [(encode(shot, f"{job.host}:{job.port}"), shot.timed) for shot in job.shots]
        self.begin = perf_counter() + job.warm
        self.end = self.begin + job.seconds
        self.since = self.begin  # what was sent before is not counted
        self.board = Board(job.seconds)

    def score(self, status: bytes, sent: float, now: float, *, timed: bool) -> None:
        if sent < self.since or now > self.end:
            return
        self.board.statuses[status.decode()] += 1
        if timed and status[:1] == b"2":
            self.board.times.append((now - sent) * 1000)

    async def switch(self, process: int) -> list["Board"]:
        """Switch measuring off and on in short turns, so that both see the same machine; return the scores of both.

        What is under way at a switch counts for neither.
        """
        boards = {True: Board(), False: Board()}
        for on in itertools.cycle(boards):
            os.kill(process, signal.SIGUSR2 if on else signal.SIGUSR1)
            await asyncio.sleep(_SETTLES)
            now = perf_counter()
            if now + _TURN > self.end:
                break
            if now > self.begin:
                self.since, self.board = now, boards[on]
                self.board.seconds += _TURN
            await asyncio.sleep(_TURN)
        os.kill(process, signal.SIGUSR2)  # it ends as it began
        return list(boards.values())


class Board:
    """The scores of the requests of so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.times = array("d")
        self.statuses: Counter[str] = Counter()

    def measured(self) -> Measured:
        ordered, seconds = sorted(self.times), self.seconds
        return Measured(
            requests=len(ordered),
            seconds=seconds,
            rate=len(ordered) / seconds,
            p50=percentile(ordered, 0.50),
            p95=percentile(ordered, 0.95),
            p99=percentile(ordered, 0.99),
            worst=ordered[-1] if ordered else 0.0,
            statuses=dict(self.statuses),
        )


class Lane(asyncio.Protocol):
    """One connection. `ended` is set when the time is over or the connection broke."""

    def __init__(self, run: Run, start: int) -> None:
        self.run = run
        self.next = start
        self.ended = asyncio.get_running_loop().create_future()
        self.buffer = bytearray()
        self.needed = 0  # bytes of the whole answer once its head is read, else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.needed:
            self.needed = _length(self.buffer)
        if self.needed and len(self.buffer) >= self.needed:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        if not self.ended.done():
            self.run.board.statuses["broken"] += 1
            self.ended.set_result(None)

    def _send(self) -> None:
        data, self.timed = self.run.requests[self.next % len(self.run.requests)]
        self.next += 1
        self.sent = perf_counter()
        self.transport.write(data)

    def _answered(self) -> None:
        now = perf_counter()
        self.run.score(bytes(self.buffer[9:12]), self.sent, now, timed=self.timed)
        self.buffer.clear()
        self.needed = 0
        if now < self.run.end:
            self._send()
        else:
            self.ended.set_result(None)
            self.transport.close()


def _length(buffer: bytearray) -> int:
    """Return the size of the whole answer, or 0 while its head is incomplete."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        return 0
    head = bytes(buffer[:end]).lower()
    at = head.find(_LENGTH)
    body = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return end + len(_HEAD_END) + body


async def fire(job: Job) -> list[Measured]:
    """Run a job to its end. With `switched` there are two scores, each of half of the time: on, and off."""
    loop = asyncio.get_running_loop()
    run = Run(job)
    lanes = []
    for number in range(job.connections):
        start = number * len(job.shots) // job.connections
        _, lane = await loop.create_connection(lambda start=start: Lane(run, start), job.host, job.port)  # type: ignore[misc]  # bound default
        lanes.append(lane.ended)
    switching = asyncio.create_task(run.switch(job.switched)) if job.switched is not None else None
    await asyncio.wait_for(asyncio.gather(*lanes), job.warm + job.seconds + _GRACE)
    if switching is None:
        return [run.board.measured()]
    return [board.measured() for board in await switching]


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(fire(job))))


if __name__ == "__main__":
    main()
