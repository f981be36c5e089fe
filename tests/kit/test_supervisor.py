"""The supervisor against real processes: starts, restarts, replaces, drains, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests.kit.pg import FAST, alive, ask, environment, open_folder
from zena.kit.embedded import urls_of_running
from zena.kit.embedded.running import read_state
from zena.kit.supervisor import leftovers, wish
from zena.kit.supervisor.child import LONGEST_PAUSE, pause_after
from zena.kit.supervisor.plan import Plan, Spec
from zena.kit.supervisor.wish import read_note

MEMBER = Path(__file__).with_name("crew_member.py")
APP = ("app", "ops_read")


@dataclass
class Scene:
    """A supervisor under way and the book its crew writes."""

    process: "subprocess.Popen[str]"
    book: Path

    def lines(self, word: str) -> list[str]:
        text = self.book.read_text() if self.book.exists() else ""
        return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(word)]

    def pids(self) -> list[int]:
        return [int(pid) for pid in self.lines("start")]

    def has_started(self, times: int) -> bool:
        return len(self.pids()) == times

    def heard(self) -> str:
        """The next line on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


def until(look: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


def member(folder: Path, name: str = "web-1", mode: str = "work", grace: float = 5.0, patience: float = 20.0) -> Spec:
    command = [sys.executable, str(MEMBER), str(folder / f"{name}.book"), mode]
    return Spec(name, command, APP, grace, patience=patience)


def plan(folder: Path, *children: Spec) -> Plan:
    return Plan(str(folder), "http://localhost:1", children or (member(folder),))


@contextmanager
def supervised(made: Plan, book: str = "web-1", **variables: str) -> Iterator[Scene]:
    descriptor = made.to_descriptor()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "zena.kit.supervisor", str(descriptor)],
        pass_fds=(descriptor,),
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(descriptor)
    scene = Scene(process, Path(made.data_dir) / f"{book}.book")
    try:
        yield scene
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def test_it_imports_the_standard_library_only() -> None:
    code = (
        "import sys, zena.kit.supervisor.run; "
        "print(*sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    command = [sys.executable, "-S", "-c", code]
    out = subprocess.run(command, env=environment(PYTHONPATH="src"), capture_output=True, text=True, check=True)
    assert set(out.stdout.split()) - {"__main__"} == {"zena"}


def test_it_starts_says_where_and_drains(folder: Path) -> None:
    with supervised(plan(folder, member(folder), member(folder, "worker-1"))) as scene:
        assert scene.heard() == "Zena is at http://localhost:1"
        assert scene.stop() == 0
        assert scene.lines("drained") == scene.lines("start")
        assert not (folder / "serve.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_hang_up_drain_too(folder: Path, number: int) -> None:
    with supervised(plan(folder)) as scene:
        scene.heard()
        assert scene.stop(number) == 0
        assert len(scene.lines("drained")) == 1


def test_F01_a_killed_process_is_back_within_two_seconds(folder: Path) -> None:
    with supervised(plan(folder)) as scene:
        scene.heard()
        for kills in range(1, 6):
            os.kill(scene.pids()[-1], signal.SIGKILL)
            until(partial(scene.has_started, kills + 1), 2.0)
            time.sleep(0.2)
        assert scene.stop() == 0


def test_a_frozen_process_is_replaced_and_one_that_lives_is_not(folder: Path) -> None:
    """It has its process id and its sockets, and will never answer again."""
    with supervised(plan(folder, member(folder, mode="alive", patience=3.0))) as scene:
        scene.heard()
        time.sleep(4)
        assert scene.has_started(1)
        os.kill(scene.pids()[0], signal.SIGSTOP)
        until(partial(scene.has_started, 2), 10.0)
        assert scene.stop() == 0
        assert scene.process.stderr is not None
        assert "web-1 ended (no sign of life for 3 s, killed)" in scene.process.stderr.read()


def test_a_supervisor_that_was_frozen_with_its_crew_blames_nobody(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="alive", patience=3.0))) as scene:
        scene.heard()
        pids = (scene.pids()[0], scene.process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        time.sleep(4)
        assert scene.has_started(1)
        assert scene.stop() == 0


def test_a_refused_configuration_ends_everything(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="exit78"), member(folder, "worker-1"))) as scene:
        assert scene.process.wait(20) == 78
        assert len(scene.pids()) == 1


def test_what_never_starts_is_given_up(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="exit69"))) as scene:
        assert scene.process.wait(20) == 69
        assert len(scene.pids()) == 3


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(failures) for failures in range(40)]
    assert pauses[0] < 0.2
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_who_does_not_drain_is_killed_after_the_grace(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="stubborn", grace=0.5))) as scene:
        scene.heard()
        started = time.monotonic()
        assert scene.stop() == 0
        assert 0.4 < time.monotonic() - started < 3
        assert not alive(scene.pids()[0])


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="stubborn", grace=60))) as scene:
        scene.heard()
        scene.process.terminate()
        time.sleep(0.5)
        assert scene.stop() == 0


def test_F26_processes_are_replaced_one_by_one(folder: Path) -> None:
    with supervised(plan(folder, member(folder), member(folder, "worker-1"))) as scene:
        scene.heard()
        scene.process.send_signal(signal.SIGUSR1)
        until(lambda: len(scene.lines("drained")) == 1)
        old, new = scene.pids()
        assert scene.lines("drained") == [str(old)]
        assert alive(new)
        until(lambda: len((folder / "worker-1.book").read_text().splitlines()) == 5)
        assert scene.stop() == 0


def test_one_is_replaced_by_its_name_though_it_stands_still(folder: Path) -> None:
    """It cannot end in order: when its grace is over it is killed, and its neighbour never noticed."""
    crew = [member(folder, name, mode="alive", grace=0.5, patience=60) for name in ("web-1", "web-2")]
    note = folder / "serve.json"
    with supervised(plan(folder, *crew)) as scene:
        scene.heard()
        before = (read_note(note) or {})["crew"]
        os.kill(before["web-2"], signal.SIGSTOP)
        wish.ask(note, scene.process.pid, wish.Wish("one", "web-2"))
        until(lambda: (read_note(note) or {})["restart"].get("state") == "done")
        after = (read_note(note) or {})["crew"]
        assert (after["web-1"], after["web-2"] != before["web-2"]) == (before["web-1"], True)
        assert not alive(before["web-2"])
        assert scene.stop() == 0


def test_a_stop_while_a_successor_starts_ends_both(folder: Path) -> None:
    with supervised(plan(folder, member(folder, mode="slow"))) as scene:
        scene.heard()
        scene.process.send_signal(signal.SIGUSR1)
        until(lambda: scene.has_started(2))
        assert scene.stop() == 0
        assert not any(alive(pid) for pid in scene.pids())


def test_new_values_reach_new_processes_and_are_taken_back_where_one_does_not_start(folder: Path) -> None:
    given, note = plan(folder, member(folder), member(folder, "worker-1", "fussy")), folder / "serve.json"
    with supervised(replace(given, values={"ZENA_TRY": "one"})) as scene:

        def try_(value: str) -> None:
            wish.ask(note, scene.process.pid, wish.Wish(value, "", {"ZENA_TRY": value}))
            until(lambda: (read_note(note) or {})["restart"].get("id") == value)
            until(lambda: (read_note(note) or {})["restart"]["state"] != "running")

        scene.heard()
        until(note.exists)
        try_("two")  # is over when all have the same again
        assert len(scene.lines("drained")) == 2  # the first, and that which had been replaced already
        try_("three")
        until(lambda: len(scene.lines("drained")) == 3)
        assert scene.lines("given") == ["one ''", "two ''", "one ''", "three ''"]
        assert scene.stop() == 0


def test_the_preparation_holds_work_back_and_gives_the_line(folder: Path) -> None:
    prepare = Spec("prepare", [sys.executable, "-c", "print('noise'); print('{\"line\": \"Sign in: x\"}')"], APP)
    with supervised(replace(plan(folder), prepare=prepare)) as scene:
        assert [scene.heard(), scene.heard()] == ["Zena is at http://localhost:1", "Sign in: x"]
        assert len(scene.lines("ready")) == 1


def test_the_late_wait_for_the_others(folder: Path) -> None:
    late = replace(member(folder, "worker-1"), late=True)
    with supervised(plan(folder, late, member(folder, mode="exit69"))) as scene:
        assert scene.process.wait(20) == 69
        assert not (folder / "worker-1.book").exists()
    with supervised(plan(folder, late, member(folder, "web-2")), "web-2") as scene:
        scene.heard()
        until((folder / "worker-1.book").exists)


def test_a_failed_preparation_lets_nobody_work(folder: Path) -> None:
    prepare = Spec("prepare", [sys.executable, "-c", "raise SystemExit(65)"], APP)
    with supervised(replace(plan(folder), prepare=prepare)) as scene:
        assert scene.process.wait(10) == 65
        assert scene.lines("ready") == []


def test_a_signal_while_preparing_ends_it(folder: Path) -> None:
    code = f"import time; open({str(folder / 'prepared')!r}, 'w'); time.sleep(60)"
    with supervised(replace(plan(folder), prepare=Spec("prepare", [sys.executable, "-c", code], APP))) as scene:
        until((folder / "prepared").exists)
        assert scene.stop() == 0
        assert scene.lines("ready") == []


def test_each_process_holds_the_urls_of_its_roles_only(folder: Path) -> None:
    urls = {f"ZENA_DATABASE_{role}_URL": "x" for role in ("OWNER", "OPS", "OPS_READ", "BACKUP")}
    files = {"ZENA_DATABASE_OWNER_URL_FILE": "/x", "ZENA_DATABASE_OPS_READ_URL_FILE": "/x"}
    with supervised(plan(folder, member(folder, mode="environment")), ZENA_DATABASE_URL="x", **urls, **files) as scene:
        scene.heard()
        held = "ZENA_DATABASE_OPS_READ_URL,ZENA_DATABASE_OPS_READ_URL_FILE,ZENA_DATABASE_URL"
        assert scene.lines("has") == [held]


def test_nobody_outlives_a_killed_supervisor_and_the_next_start_works(folder: Path) -> None:
    made = replace(plan(folder), embedded=True, server_options=FAST)
    with supervised(made) as scene:
        scene.heard()
        state = read_state(folder)
        assert state is not None
        crew = [*scene.pids(), state.pid]
        scene.process.kill()
        scene.process.wait()
        until(lambda: not any(alive(pid) for pid in crew))
    with supervised(made) as scene:
        assert leftovers.clear(folder / "serve.json") is None or scene.heard()
        until(lambda: urls_of_running(folder) is not None)
        assert scene.stop() == 0
    assert urls_of_running(folder) is None


def test_F05_a_killed_database_comes_back_at_the_same_address(folder: Path) -> None:
    with supervised(replace(plan(folder), embedded=True, server_options=FAST)) as scene:
        scene.heard()
        urls, state = urls_of_running(folder), read_state(folder)
        assert urls is not None
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)
        until(lambda: (now := read_state(folder)) is not None and now.pid != state.pid)
        assert urls_of_running(folder) == urls
        assert ask(urls.app, "SELECT 1") == 1
        assert len(scene.pids()) == 1
        assert scene.stop() == 0


def test_two_on_one_data_directory(folder: Path) -> None:
    made = replace(plan(folder), embedded=True, server_options=FAST)
    with supervised(made) as first:
        first.heard()
        with supervised(made) as second:
            assert second.process.wait(20) == 78
            assert second.process.stderr is not None
            assert str(first.process.pid) in second.process.stderr.read()
        where = leftovers.clear(folder / "serve.json")
        assert where == f"http://localhost:1 (process {first.process.pid})"
        assert first.process.poll() is None


def test_orphans_are_ended_and_strangers_are_not(folder: Path) -> None:
    path = folder / "serve.json"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as orphan:
        leftovers.write(path, "http://localhost:1", [orphan.pid], {})
        written = path.read_text()
        mine = f'"pid": {os.getpid()}, "born": {leftovers.born(os.getpid())}'
        assert mine in written
        later = f"[{orphan.pid}, {(leftovers.born(orphan.pid) or 0) + 1}]"
        path.write_text(
            written.replace(mine, '"pid": 1, "born": 1').replace(f"[{orphan.pid}, {leftovers.born(orphan.pid)}]", later)
        )
        assert leftovers.clear(path) is None
        assert alive(orphan.pid)
        path.write_text(written.replace(mine, '"pid": 1, "born": 1'))
        assert leftovers.clear(path) is None
        assert orphan.wait(5) == -signal.SIGTERM
    path.write_text("{broken")
    assert leftovers.clear(path) is None
