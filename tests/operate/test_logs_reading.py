"""`zena logs`: channels in one stream, over rotation, through torn lines, with and without a database."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.run import ROOT, command, variables, zena
from tests.operate.commands import Terminal
from tests.operate.log_files import until
from zena.cli import CommandError
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.logfile import LogFile
from zena.operate.cli.logs import _channels, _level
from zena.operate.cli.spans import length
from zena.operate.logs.following import following
from zena.operate.logs.reading import Line, Wanted, newest

WRITER = """
import sys, time
from pathlib import Path
from zena.kit.logfile import LogFile
file = LogFile(Path(sys.argv[1]), 4_000, 2_000)
for count in range(3_000):
    file.write(b'{"at": "2026-01-01T00:00:%02d.%03dZ", "level": "info", "number": %d}\\n'
               % (*divmod(count, 1000), count))
    if not count % 50:
        time.sleep(0.005)
"""
FIRM, OTHER = str(uuid4()), str(uuid4())


def line(seconds_ago: float, event: str, *, channel: str = "app", level: str = "info", **facts: object) -> bytes:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    head = {"at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "level": level, "channel": channel, "event": event}
    who = {"logger": "zena.test", "request_id": None, "tenant": None, "user": None}
    return json.dumps(head | who | facts, ensure_ascii=False).encode() + b"\n"


def events(lines: list[Line]) -> list[str]:
    return [one["event"] for one in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two channels, one rotated, with a line torn by a crash and bytes that are no line."""
    made = tmp_path / "logs"
    made.mkdir()
    (made / "app.log.10").write_bytes(line(9000, "oldest"))
    (made / "app.log.1").write_bytes(
        line(50, "first", request_id="r1", tenant=FIRM) + line(40, "broken", level="error")
    )
    torn = line(35, "never whole")[:40]
    (made / "app.log").write_bytes(
        torn + line(30, "third") + b"\xff\xfe junk\n[1]\n\n" + line(10, "Đã xong") + line(5, "cut off")[:-9]
    )
    (made / "security.log").write_bytes(
        line(45, "second", channel="security", level="warning", request_id="r1")
        + line(20, "fourth", channel="security", tenant=OTHER, reason="wrong password")
    )
    return made


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["oldest", "first", "second", "broken", "third", "fourth", "Đã xong"]),
        (Wanted(level="warning"), ["second", "broken"]),
        (Wanted(channels=("security",)), ["second", "fourth"]),
        (Wanted(request="r1"), ["first", "second"]),
        (Wanted(tenant=OTHER), ["fourth"]),
        (Wanted(text="WRONG pass"), ["fourth"]),
        (Wanted(text="đã XONG"), ["Đã xong"]),
        (Wanted(text="nowhere"), []),
        (
            Wanted(since=datetime.now(UTC) - timedelta(hours=1)),
            ["first", "second", "broken", "third", "fourth", "Đã xong"],
        ),
    ],
)  # fmt: skip
def test_lines_of_all_channels_stand_in_order_of_time(folder: Path, wanted: Wanted, found: list[str]) -> None:
    assert events(newest(folder, wanted)) == found
    assert events(newest(folder, wanted, 2)) == found[-2:]


def test_a_line_longer_than_what_is_read_at_once_is_whole(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(line(3, "a") + line(2, "b", text="x" * 200_000) + line(1, "c"))
    assert events(newest(tmp_path, Wanted())) == ["a", "b", "c"]


def test_following_misses_nothing_while_files_are_rotated_many_times(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    LogFile(path, 10**6, 1).write(line(1, "before"))
    steps, seen = following(tmp_path, Wanted()), []
    assert next(steps) == []
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], env=variables(), cwd=ROOT)
    while writer.poll() is None:
        seen += next(steps)
    seen += next(steps)
    assert [one["number"] for one in seen] == list(range(3_000))
    assert len(list(tmp_path.iterdir())) > 20


def test_following_meets_a_channel_that_begins_later_and_one_that_was_removed(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"")
    steps = following(tmp_path, Wanted())
    next(steps)
    (tmp_path / "jobs.log").write_bytes(line(1, "born"))
    (tmp_path / "app.log").unlink()
    assert events(next(steps)) == ["born"]
    (tmp_path / "app.log").write_bytes(line(1, "again")[:20])
    assert next(steps) == []
    (tmp_path / "app.log").write_bytes(line(1, "again"))
    assert events(next(steps)) == ["again"]


def test_the_command_needs_no_database_and_ends_quietly_at_ctrl_c(folder: Path) -> None:
    place = {"ZENA_DATA_DIR": folder.parent}
    told = zena("logs", "--level", "warning", "--json", module="zena", **place)
    assert (told.code, events(json.loads(told.out))) == (0, ["second", "broken"])
    counted = zena("logs", "--by-code", "--json", module="zena", **place)
    assert [(one["what"], one["count"], one["place"]) for one in json.loads(counted.out)] == [
        ("broken", 1, "zena.test")
    ]
    assert "counted from the log files of this machine" in counted.err
    process = subprocess.Popen(
        command("logs", "--follow", "-n", "1", module="zena"), env=variables(**place), stdout=subprocess.PIPE, text=True
    )
    heard: list[str] = []
    assert process.stdout is not None
    listening = threading.Thread(target=heard.extend, args=(process.stdout,), daemon=True)
    listening.start()
    until(lambda: any("Đã xong" in one for one in heard), 30)
    with (folder / "security.log").open("ab") as file:
        file.write(line(0, "fresh"))
    until(lambda: any("fresh" in one for one in heard))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_what_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    refusals: list[tuple[Callable[[Any], object], object, str]] = [
        (_level, "loud", "there is no level 'loud'"),
        (_channels, ["app,apps"], "there is no channel 'apps'"),
        (length, "yesterday", "'yesterday' is no length of time"),
    ]
    for check, given, says in refusals:
        with pytest.raises(CommandError, match=says) as refused:
            check(given)
        assert refused.value.code == Exit.USAGE
    told = zena("logs", module="zena", ZENA_DATA_DIR=tmp_path)
    assert (told.code, told.out, len(told.err.splitlines())) == (Exit.DATA, "", 1)
    assert "there are no log files in" in told.err


async def test_errors_of_the_installation_come_from_the_database(urls: ClusterUrls, folder: Path) -> None:
    terminal = Terminal(urls, folder.parent)
    told = await terminal("logs", "--by-code", "--since", "1h", "--json")
    assert (told.code, told.err) == (0, "")
    assert all({"recent", "releases", "first_seen"} <= one.keys() for one in json.loads(told.out))
    status = await terminal("status")
    [logs] = [one for one in status.out.splitlines() if one.startswith("logs")]
    assert "4 files" in logs
