"""`zena queue`: what it shows is what is there, what it does is written down, a slip of the pen does nothing."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.operate.commands import Terminal
from zena.__main__ import COMMANDS, HOOKS
from zena.cli import build_cli, main
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.failures import hold
from zena.kit.state import State
from zena.operate.cli.spans import span
from zena.operate.queue import standing
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests

KIND = "accounts.mail_notice"


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    await connection.execute(
        "DELETE FROM queue.pgqueuer; DELETE FROM queue.paused; DELETE FROM queue.pgqueuer_schedules"
    )
    yield connection
    await connection.execute("DELETE FROM queue.pgqueuer")
    await connection.execute("DELETE FROM queue.paused")
    await connection.close()


@pytest.fixture
def terminal(urls: ClusterUrls, tmp_path: Path) -> Terminal:
    return Terminal(urls, tmp_path)


async def put(ops: Any, count: int, **options: Any) -> list[int]:
    async with ops.transaction():
        return [job for job in await insert_jobs(ops, KIND, [None] * count, **options) if job is not None]


async def test_standing_counts_by_kind_and_reckons_when_it_is_done(state: State, ops: Any) -> None:
    await put(ops, 4)
    await put(ops, 2, after=timedelta(hours=1))
    held = await put(ops, 1)
    await hold(ops, "x", ids=held)
    await ops.execute("UPDATE queue.pgqueuer SET created = now() - interval '2 minutes' WHERE status = 'queued'")
    await ops.execute("UPDATE queue.pgqueuer SET execute_after = created WHERE execute_after < now()")
    recorder, now = Recorder(Requests()), state.clock.now()
    for outcome in ("done", "done", "held"):
        recorder.job(KIND, outcome, 30.0, 0.1)
    flusher = Flusher(state, recorder, "worker")
    assert await flusher.flush()
    found = await standing.standing(ops, now, window=timedelta(minutes=15), slots=4)
    [row] = [row for row in found["kinds"] if row["kind"] == KIND]
    assert (row["waiting"], row["later"], row["running"], row["held"]) == (4, 2, 0, 1)
    assert 119 < row["oldest"] < 200
    assert (row["runs"], row["failures"]) == (3, 1)
    workers = found["workers"]["alive"]
    assert row["clear"] == pytest.approx(4 * 30 / (4 * workers), abs=0.1)
    assert any("the oldest" in line for line in found["findings"])
    assert any(f"1 of {KIND} are held" in line for line in found["findings"])
    flusher.ended = True
    assert await flusher.flush()
    assert (await standing.standing(ops, now, window=timedelta(minutes=15), slots=4))["workers"]["alive"] == workers - 1


async def test_a_silent_worker_is_missed_until_another_took_its_place(ops: Any) -> None:
    host = f"host-{uuid4().hex}"
    beat = (
        "INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)"
        " VALUES ($1, 'worker', $2, 1, '0', now() - $3::interval, now() - $4::interval, '{}')"
    )
    long_ago, minute, now = timedelta(hours=1), timedelta(minutes=1), timedelta(0)
    await ops.execute(beat, uuid4(), host, long_ago, minute)

    async def mine() -> list[tuple[bool, bool]]:
        return [(row["alive"], row["replaced"]) for row in await standing.workers(ops) if row["host"] == host]

    assert await mine() == [(False, False)]
    await ops.execute(beat, uuid4(), host, now, now)
    assert await mine() == [(False, True), (True, False)]
    await ops.execute("DELETE FROM ops.heartbeat WHERE host = $1", host)


async def test_a_schedule_that_was_missed_is_told(ops: Any) -> None:
    now = datetime(2026, 3, 1, 7, 10, tzinfo=UTC)
    insert = "INSERT INTO queue.pgqueuer_schedules (expression, entrypoint) VALUES ($1, $2)"
    slot = "INSERT INTO queue.cron VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET slot = excluded.slot"
    for name, last in (("t.kept", 7), ("t.missed", 6)):
        await ops.execute(insert, "0 * * * *", name)
        await ops.execute(slot, name, now.replace(hour=last, minute=0))
    found = {row["name"]: row for row in await standing.schedules(ops, now)}
    assert [found[name]["missed"] for name in ("t.kept", "t.missed")] == [False, True]
    assert found["t.kept"]["next"] == now.replace(hour=8, minute=0)
    await ops.execute("DELETE FROM queue.pgqueuer_schedules")
    await ops.execute("DELETE FROM queue.cron WHERE name LIKE 't.%'")


async def test_jobs_are_held_listed_shown_and_discarded_with_a_copy(terminal: Terminal, ops: Any) -> None:
    jobs = await put(ops, 2)
    ran = await terminal("queue", "hold", "--kind", KIND, "--reason", "mail is down", "--json")
    assert json.loads(ran.out) == {"held": 2}
    assert (await terminal("queue", "hold", str(jobs[0]))).code == Exit.DATA
    listed = json.loads((await terminal("queue", "failed", "--json")).out)
    assert [(one["id"], one["message"]) for one in listed] == [(job, "mail is down") for job in reversed(jobs)]
    assert "mail is down" in (await terminal("queue", "failed")).out
    assert f"job {jobs[0]}" in (await terminal("queue", "show", str(jobs[0]))).out
    counted = await terminal("queue", "discard", "--all")
    assert (counted.code, f"2 held jobs of {KIND}" in counted.err) == (Exit.USAGE, True)
    copy = terminal.data_dir / "copy.jsonl"
    copy.write_text("mine")
    refused = await terminal("queue", "discard", "--all", "--yes", "--export", str(copy))
    assert (refused.code, copy.read_text()) == (Exit.DATA, "mine")
    assert (await terminal("queue", "discard", str(jobs[0]), "--yes")).code == Exit.OK
    [written] = (terminal.data_dir / "exports").iterdir()
    assert json.loads(written.read_text())["id"] == jobs[0]
    assert await ops.fetchval("SELECT array_agg(id) FROM queue.pgqueuer") == [jobs[1]]
    noted = await ops.fetch("SELECT what, after FROM ops.change ORDER BY id DESC LIMIT 2")
    assert [row["what"] for row in noted] == ["queue discard", "queue hold"]


async def test_pausing_shows_and_an_unknown_kind_is_refused(terminal: Terminal, ops: Any) -> None:
    slip = await terminal("queue", "pause", "accounts.mail_notise")
    assert (slip.code, f"did you mean {KIND}?" in slip.err) == (Exit.DATA, True)
    assert (await terminal("queue", "pause", KIND, "--reason", "mail is down")).code == Exit.OK
    shown = await terminal("queue", "status")
    assert shown.code == Exit.FINDING
    assert f"! {KIND} is paused (mail is down), 0 wait: `zena queue resume {KIND}`" in shown.out
    [job] = await put(ops, 1)
    await hold(ops, "x", ids=[job])
    assert "is paused" in (await terminal("queue", "retry", str(job))).err
    assert (await terminal("queue", "resume", KIND)).code == Exit.OK
    assert (await terminal("queue", "resume", KIND)).code == Exit.DATA


async def test_a_retry_without_a_worker_is_refused_and_changes_nothing(terminal: Terminal, ops: Any) -> None:
    [job] = await put(ops, 1)
    await hold(ops, "x", ids=[job])
    ran = await terminal("queue", "retry", "all")
    assert (ran.code, "no worker is connected" in ran.err) == (Exit.UNAVAILABLE, True)
    assert await ops.fetchval("SELECT status::text FROM queue.pgqueuer") == "failed"


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("retry", "x"),
        ("retry", "1", "--all"),
        ("retry", "99999999999999999999"),
        ("hold",),
        ("hold", "all"),
        ("discard", "--kind", "a", "--fingerprint", "b"),
        ("hold", "1", "--kind", "a"),
        ("show", "-1"),
    ],
)
def test_misuse_is_one_line_and_64(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(build_cli(COMMANDS, HOOKS), ["queue", *words])
    assert (code, len(capsys.readouterr().err.splitlines())) == (Exit.USAGE, 1)


async def test_what_is_not_there_is_65(terminal: Terminal, ops: Any) -> None:
    await put(ops, 1)
    for words in (("show", "9999999999"), ("discard", "--fingerprint", str(uuid4()), "--yes")):
        ran = await terminal("queue", *words)
        assert (ran.code, len(ran.err.splitlines())) == (Exit.DATA, 1)


def test_lengths_of_time_read_well() -> None:
    found = [span(seconds) for seconds in (None, 0.4, 59, 119, 121, 7201, 200_000)]
    assert found == ["-", "0 s", "59 s", "119 s", "2 min", "2 h", "2 d"]
