"""E1, the dead man's canary: a process finds out that its errors cannot be read though nothing fails."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.kit.bed import until as until_true
from tests.kit.pg import ask
from tests.operate.log_files import lines, logging_to, until
from tests.operate.watched import Day, own_day
from zena.kit.beside import beside
from zena.kit.embedded import ClusterUrls
from zena.kit.logs import ERRORS
from zena.kit.logs.errors import kind_of
from zena.kit.logs.sinks import Files, Written
from zena.kit.state import State
from zena.operate.logs import groups
from zena.operate.logs.canary import EVERY, GRACE, Canary
from zena.operate.logs.reading import Wanted, newest
from zena.operate.symptoms.e1_lost_errors import SYMPTOM, UNCOUNTED
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


async def looks(canary: Canary, hand: Hand, number: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    for _ in range(number):
        await canary.look()
        meanwhile()
        hand.at += GRACE


async def test_a_line_a_minute_is_found_and_nobody_is_shown_it(tmp_path: Path) -> None:
    hand = Hand()
    canary = Canary(hand)
    with logging_to(tmp_path):
        await looks(canary, hand, 1 + EVERY // GRACE, lambda: until(lambda: lines(tmp_path, "app")))
        counted = ERRORS.take()
    told = lines(tmp_path, "app")
    assert [(one["level"], one["logger"]) for one in told] == [("error", "zena.canary")] * 2
    assert (canary.trouble, counted, newest(tmp_path, Wanted(), 10)) == (None, [], [])
    assert len(newest(tmp_path, Wanted(canaries=True), 10)) == 2


def empty(files: Files, canary: Canary) -> None:
    app = files.folder / "app.log"
    if canary._word:
        until(lambda: app.exists() and canary._word in app.read_text())
        os.truncate(app, 0)


def take_the_handler_away(files: Files, _: Canary) -> None:
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if files not in getattr(one, "sinks", ())]


def end_the_thread(files: Files, _: Canary) -> None:
    files.put(Written("none", "a channel that has no file"))
    files._thread.join(10)


def switch_off(_: Files, __: Canary) -> None:
    logging.disable(logging.CRITICAL)


def hush(_: Files, __: Canary) -> None:
    logging.getLogger().setLevel(logging.CRITICAL)


@pytest.fixture
def put_back() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    logging.disable(logging.NOTSET)
    root.setLevel(level)
    root.handlers = handlers


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (empty, "what is written to app.log is not in it: something empties it"),
        (take_the_handler_away, "no handler takes what is logged"),
        (end_the_thread, "the thread that writes lines has ended"),
        (switch_off, "logging was switched off in the process"),
        (hush, "logging was switched off in the process"),
    ],
)
async def test_what_keeps_errors_from_being_read_is_named_once_two_lines_are_lost(
    harm: Callable[[Files, Canary], None], says: str, tmp_path: Path, put_back: None
) -> None:
    hand, told = Hand(), []
    canary = Canary(hand)
    with logging_to(tmp_path) as files:
        await canary.look()
        for _ in range(2 * (EVERY // GRACE)):
            harm(files, canary)
            hand.at += GRACE
            await canary.look()
            told.append(canary.trouble)
    assert (told[0], told[-1]) == (None, says)


async def test_errors_that_the_settings_leave_out_are_told(tmp_path: Path) -> None:
    hand = Hand()
    canary = Canary(hand)
    with logging_to(tmp_path, app="critical"):
        await looks(canary, hand, 3)
    assert canary.trouble == "errors are below what channel app writes"


async def test_it_is_over_with_the_first_line_that_is_found(tmp_path: Path) -> None:
    hand = Hand()
    canary = Canary(hand)
    with logging_to(tmp_path) as files:
        await looks(canary, hand, 3, lambda: empty(files, canary))
        assert canary.trouble
        await looks(canary, hand, 2, lambda: until(lambda: lines(tmp_path, "app")))
    assert canary.trouble is None


async def test_who_cannot_look_says_nothing_of_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    hand = Hand()
    canary = Canary(hand)
    with logging_to(tmp_path):
        monkeypatch.setattr("zena.operate.logs.canary.newest", none_left)
        await looks(canary, hand, 4 * (EVERY // GRACE))
    assert (canary.trouble, len(lines(tmp_path, "app"))) == (None, 4)


async def test_a_fault_in_it_ends_no_measuring(
    state: State, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Canary) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(Canary, "look", broken)
    flusher = Flusher(state, Recorder(Requests()), "test")
    seen = f"SELECT count(*) FROM ops.heartbeat WHERE process = '{flusher.process}'"  # noqa: S608 - ours
    async with beside(flusher.run()):
        await until_true(partial(asyncio.to_thread, ask, urls.ops_read, seen), 10)


async def test_what_the_files_say_themselves_is_not_said_twice(tmp_path: Path) -> None:
    hand = Hand()
    canary, folder = Canary(hand), tmp_path / "logs"
    with logging_to(folder) as files:
        await canary.look()
        until(lambda: lines(folder, "app"))
        folder.rename(tmp_path / "away")
        folder.touch()
        until(lambda: files.trouble)
        await looks(canary, hand, 4)
        assert canary.trouble is None
        folder.unlink()


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, datetime(2031, 12, 20, 6, 30, tzinfo=UTC)) as made:
        yield made


async def test_requests_that_fail_and_leave_no_error_are_told(day: Day, tmp_path: Path) -> None:
    async def balance() -> Any:
        day.later(minutes=1)
        return next(one for one in await SYMPTOM.watch(await day.look()) if one.scope == UNCOUNTED)

    day.request("/projects", 10, 9, status=500, spread=False)
    assert ((await balance()).over, (await balance()).calm) == (False, True)
    day.request("/projects", 10, 3, status=500, spread=False)
    lost = await balance()
    assert (lost.over, lost.value) == (True, 12)
    assert (await SYMPTOM.diagnose(await day.look(), lost)).cause == UNCOUNTED
    counted = kind_of("INTERNAL", "KeyError", "x", "app")
    counted.add(day.now, None, None)
    counted.hours = {day.now.replace(minute=0, second=0, microsecond=0): 12}
    async with day.conn.transaction():
        await groups.store(day.conn, [counted])
    assert (await balance()).over is False
