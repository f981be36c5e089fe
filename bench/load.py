"""Load client: some keep-alive connections, each sends its next request when the last answer has come whole.

Runs as a process of its own (`python -m bench.load`): a Job as JSON on standard input, a Measured as JSON on standard
output. Reads answers with a Content-Length only, which is what all of ours have.
"""

import asyncio
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
        self.times = array("d")
        self.statuses: Counter[str] = Counter()

    def score(self, status: bytes, sent: float, now: float, *, timed: bool) -> None:
        if sent < self.begin or now > self.end:
            return
        self.statuses[status.decode()] += 1
        if timed and status[:1] == b"2":
            self.times.append((now - sent) * 1000)

    def measured(self, seconds: float) -> Measured:
        ordered = sorted(self.times)
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
            self.run.statuses["broken"] += 1
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


async def fire(job: Job) -> Measured:
    """Run a job to its end."""
    loop = asyncio.get_running_loop()
    run = Run(job)
    lanes = []
    for number in range(job.connections):
        start = number * len(job.shots) // job.connections
        _, lane = await loop.create_connection(lambda start=start: Lane(run, start), job.host, job.port)  # type: ignore[misc]  # bound default
        lanes.append(lane.ended)
    await asyncio.wait_for(asyncio.gather(*lanes), job.warm + job.seconds + _GRACE)
    return run.measured(job.seconds)


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(fire(job))))


if __name__ == "__main__":
    main()
