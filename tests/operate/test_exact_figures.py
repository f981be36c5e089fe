"""What `/api/v1/metrics` says of many requests over four web processes, against what the servers and a client noted."""

import asyncio
import http.client
import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import variables
from tests.factories import Firm, make_firm
from tests.kit.pg import open_folder
from zena.accounts.permissions import Role
from zena.kit.db import Database, DatabaseOptions
from zena.kit.embedded import urls_of_running
from zena.operate.telemetry.flush import EVERY
from zena.operate.telemetry.limits import API
from zena.operate.telemetry.sketch import ACCURACY

pytestmark = pytest.mark.proof

REQUESTS = 20_000
CLIENTS = 8
PATIENCE = 60
NOBODY = "/api/v1/app/projects/00000000-0000-7000-8000-000000000000"
PATHS = ("/api/v1/app/tasks", "/api/v1/app/projects", "/api/v1/app/dashboard", NOBODY, "/dashboard")


@contextmanager
def installation(folder: Path) -> Iterator[int]:
    """`zena serve` with four web processes that log every request; yields its port."""
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "zena", "serve"],
        env=variables(ZENA_DATA_DIR=folder / "data", ZENA_PORT=0, ZENA_WEB_PROCESSES=4, ZENA_LOG_LEVEL="debug",
                      ZENA_RATE_USER=1_000_000, ZENA_RATE_TENANT=1_000_000),
        stdout=subprocess.PIPE, stderr=log, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rstrip().rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
        log.close()


def furnished(folder: Path) -> Firm:
    """A firm in the running database."""
    urls = urls_of_running(folder / "data")
    assert urls is not None

    async def make() -> Firm:
        db = Database(DatabaseOptions(urls.app))
        try:
            return await make_firm(db, roles=(Role.OWNER,))
        finally:
            await db.stop()

    return asyncio.run(make())


def send(port: int, headers: dict[str, str], number: int) -> Counter[tuple[str, int]]:
    """Send one client's share over one connection; return how often each path answered what."""
    seen: Counter[tuple[str, int]] = Counter()
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    for turn in range(REQUESTS // CLIENTS):
        path = PATHS[(turn + number) % len(PATHS)]
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        seen[path, answer.status] += 1
    connection.close()
    return seen


def ask(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    connection.request("GET", "/api/v1/metrics?window=3600")
    answer = connection.getresponse()
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return found


def logged(folder: Path) -> dict[str, list[float]]:
    """Return the exact durations the servers noted, sorted, by what was asked for."""
    found: dict[str, list[float]] = {}
    for line in (folder / "log").read_bytes().splitlines():
        entry = json.loads(line) if line.startswith(b"{") else {}
        if entry.get("event") == "request":
            found.setdefault(f"{entry['method']} {entry['route']}", []).append(entry["ms"])
    return {name: sorted(durations) for name, durations in found.items()}


def test_figures_over_four_processes_are_those_of_the_servers_own_log() -> None:
    with open_folder() as folder:
        with installation(folder) as port:
            owner = furnished(folder).people[Role.OWNER]
            with ThreadPoolExecutor(CLIENTS) as pool:
                shares = list(pool.map(lambda number: send(port, owner.headers, number), range(CLIENTS)))
            sent = sum(shares, Counter[tuple[str, int]]())
            report = _once_complete(port, sent.total())
        exact = logged(folder)
    assert len({one["pid"] for one in report["processes"] if one["role"] == "web"}) == 4
    by_route = {one["route"]: one for one in report["http"]["routes"]}
    for path in PATHS:
        name = f"GET {path}" if path != NOBODY else "GET /api/v1/app/projects/{project_id}"
        told, durations = by_route[name], exact[name]
        assert told["count"] == len(durations) == sum(n for (asked, _), n in sent.items() if asked == path)
        assert told["bad"] == 0
        assert told["slow"] == sum(ms > told["slow_after_ms"] for ms in durations)
        for share, key in [(0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")]:
            right = durations[math.ceil(share * len(durations)) - 1]
            assert abs(told[key] - right) <= 1.001 * ACCURACY * right + 0.0005, (name, key)
    assert report["http"]["families"]["api"]["slow_rate"] is not None
    assert by_route["GET /api/v1/app/tasks"]["slow_after_ms"] == API


def _once_complete(port: int, wanted: int) -> dict[str, Any]:
    """Return the report once every process has written what it counted."""
    end = time.monotonic() + EVERY + PATIENCE
    while True:
        report = ask(port)
        counted = sum(
            one["count"] for one in report["http"]["routes"] if one["family"] in {"api", "dashboard", "anonymous"}
        )
        if counted >= wanted or time.monotonic() > end:
            assert counted == wanted
            return report
        time.sleep(0.5)
