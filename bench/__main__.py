"""`python -m bench [--quick] [--keep DIR]`: start everything, write the firms, measure, report, clean up."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench import report
from bench.data import Firm, make_firm, settle
from bench.load import Job, Shot
from bench.processes import HOST, application, fire, floor, migrate, trivial
from bench.rows import Measure, Row
from bench.suite import Sizes, Suite
from zena.kit.embedded import ClusterUrls, EmbeddedPostgres

_FULL = (Sizes(), 5, 4.0)
_QUICK = (Sizes(listed=10_000, small=500, middle=1_000, large=20_000), 3, 1.5)


def main() -> None:
    chosen = _arguments()
    sizes, rounds, seconds = _QUICK if chosen.quick else _FULL
    with _place(chosen.keep) as folder, _database(folder) as urls:
        firms = _firms(folder, urls, sizes)
        ceiling = _ceiling()
        home = folder / "zena"
        with application(urls, home) as app, floor(urls) as bare:
            suite = Suite(app=app.port, floor=bare, firms=firms, sizes=sizes, seconds=seconds)
            _check_same(suite)
            report.say(
                f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before we begin; trust the ratios\n"
            )
            report.say(report.heading())
            rows = _run(suite.measures(), rounds, chosen.only)
        rows += _run(suite.measuring(partial(application, urls, home, "bench.switched")), rounds, chosen.only)
    path = report.write(rows, {"sizes": sizes, "client_ceiling": ceiling})
    report.say(f"\nwritten to {path}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure speed and scale against the floor.")
    parser.add_argument("--quick", action="store_true", help="small firms, short rounds: does it run at all?")
    parser.add_argument("--keep", type=Path, help="keep the database in this directory, and use it again next time")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    return parser.parse_args()


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        keep.chmod(0o711)  # the database's own user must pass through
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="zena-bench-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@contextmanager
def _database(folder: Path) -> Iterator[ClusterUrls]:
    """Run the embedded server as an installation does: every commit reaches the disk."""
    server = EmbeddedPostgres(folder / "zena")
    urls = server.start()
    try:
        migrate(urls, folder / "zena")
        yield urls
    finally:
        server.stop()


def _firms(folder: Path, urls: ClusterUrls, sizes: Sizes) -> dict[str, Firm]:
    note = folder / f"firms-{sizes.large}.json"
    if note.exists():
        return msgspec.json.decode(note.read_bytes(), type=dict[str, Firm])
    firms = {}
    for name, shape in sizes.shapes().items():
        began = time.monotonic()
        firms[name] = asyncio.run(make_firm(urls.superuser, shape))
        report.say(f"wrote {shape.tasks:,} tasks in {time.monotonic() - began:.0f} s")
    asyncio.run(settle(urls.superuser))
    note.write_bytes(msgspec.json.encode(firms))
    return firms


def _ceiling() -> float:
    """Return how many answers of 20 kB a second the load client can take: it must not be what we measure."""
    with trivial(20_000) as port:
        rate = fire(Job(host=HOST, port=port, shots=[Shot("/")], seconds=2))[0].rate
    report.say(f"the load client alone: {rate:,.0f}/s")
    return rate


def _check_same(suite: Suite) -> None:
    """Stop unless the floor answers with the same rows as the application."""
    ours, bare = suite.sample()
    for shot, other in zip(ours, bare, strict=True):
        answers = [_rows(suite.app, shot), _rows(suite.floor, other)]
        if answers[0] != answers[1]:
            sys.exit(f"the floor answers {other.path} otherwise than the application {shot.path}")


def _rows(port: int, shot: Shot) -> Any:
    answer = httpx.get(f"http://{HOST}:{port}{shot.path}", headers=shot.headers, timeout=30).raise_for_status().json()
    return answer.get("data", answer)


def _run(measures: list[Measure], rounds: int, only: str) -> list[Row]:
    rows = []
    for measure in measures:
        if only in measure.name:
            rows.append(measure.run(rounds))
            report.say(report.line(rows[-1]))
    return rows


if __name__ == "__main__":
    main()
