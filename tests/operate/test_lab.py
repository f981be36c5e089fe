"""Faults are real, are put into a lab only, are found and named, and leave nothing behind."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import Ran, command, variables, zena
from tests.kit.pg import alive, ask, open_folder
from tests.operate.site import Site, until
from zena.kit.embedded import urls_of_running
from zena.kit.exits import Exit
from zena.kit.supervisor.wish import read_note
from zena.operate.lab.catalogue import FAULTS
from zena.operate.lab.contract import Mends
from zena.operate.remedies.catalogue import proposed
from zena.operate.symptoms.catalogue import BY_ID

LAB: dict[str, object] = {"ZENA_ENV": "lab", "ZENA_PACE": 0.05}
TWO = 2
FORCED = "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'label'"


def run(folder: Path, *arguments: str, **values: object) -> Ran:
    return zena("lab", *arguments, module="zena", ZENA_DATA_DIR=folder, **values)


def test_a_fault_names_a_symptom_that_is_watched_and_a_cause_that_it_may_have() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        assert fault.cause in BY_ID[fault.symptom].causes if fault.symptom else not fault.cause, fault.id
        assert fault.also <= BY_ID.keys(), fault.id
    assert any(not fault.symptom for fault in FAULTS), "there are shams"


def test_every_symptom_is_tried_with_two_causes() -> None:
    causes = {symptom: {fault.cause for fault in FAULTS if fault.symptom == symptom} for symptom in BY_ID}
    assert {symptom for symptom, found in causes.items() if len(found) < TWO} == set()


def test_every_symptom_is_mended_by_what_is_proposed_or_without_being_asked() -> None:
    """A broken promise by what mends whatever broke it."""
    mended = {
        fault.symptom
        for fault in FAULTS
        if fault.mends is Mends.UNASKED or any(not one.contains for one in proposed(fault.symptom, fault.cause))
    }
    assert BY_ID.keys() - mended == {"P1"}


@pytest.mark.parametrize(
    ("words", "values", "code", "says"),
    [
        (("run", "task-lock"), {}, Exit.PERMISSION, "ZENA_ENV is production"),
        (("inject", "task-lock"), {}, Exit.PERMISSION, "ZENA_ENV is production"),
        (("heal",), {}, Exit.PERMISSION, "ZENA_ENV is production"),
        (("heal",), LAB, Exit.PERMISSION, "nothing runs in"),
        (("heal",), LAB | {"ZENA_DATABASE_URL": "postgresql://a@b/c"}, Exit.PERMISSION, "ZENA_DATABASE_URL is set"),
        (("run", "no-such"), LAB, Exit.USAGE, "there is no fault no-such"),
        (("run",), LAB, Exit.USAGE, "name faults, or --all, or --clean MINUTES"),
        (("run", "--all", "task-lock"), LAB, Exit.USAGE, "name faults, or --all, or --clean MINUTES"),
        (("run", "--clean", "1", "task-lock"), LAB, Exit.USAGE, "name faults, or --all, or --clean MINUTES"),
    ],
)
def test_it_is_refused_where_it_is_not_meant(
    tmp_path: Path, words: tuple[str, ...], values: dict[str, Any], code: Exit, says: str
) -> None:
    ran = run(tmp_path, *words, **values)
    assert (ran.code, says in ran.err) == (code, True), ran
    assert list(tmp_path.iterdir()) == [], "nothing is made on the way"


@pytest.mark.proof
def test_a_lab_that_was_killed_is_healed_and_another_database_is_never_touched() -> None:
    with open_folder("zl-") as folder:
        site = Site(folder, LAB)
        with site.serving("--demo"):
            urls = urls_of_running(folder)
            assert urls is not None
            assert urls.superuser.split("?")[0].endswith("/zena_lab")
            begun = subprocess.Popen(
                command("lab", "inject", "fence-off", module="zena"),
                env=variables(**site.values),
                stdout=subprocess.PIPE,
            )
            until(lambda: ask(urls.ops, FORCED) is False)
            begun.kill()
            begun.communicate()
            assert ask(urls.ops, FORCED) is False
            assert site.run("lab", "heal").code == Exit.OK
            assert ask(urls.ops, FORCED) is True
            ended = subprocess.Popen(
                command("lab", "inject", "fence-off", module="zena"),
                env=variables(**site.values),
                stdout=subprocess.PIPE,
            )
            until(lambda: ask(urls.ops, FORCED) is False)
            ended.send_signal(signal.SIGINT)
            ended.communicate()
            assert ask(urls.ops, FORCED) is True, "Ctrl-C takes it back"


def tried(folder: Path, *words: str, seconds: float = 400) -> dict[str, Any]:
    """Run a lab, with settings of other products about, which it must not take up; return its rows by fault."""
    somebody = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/theirs", "REDIS_URL": "redis://127.0.0.1:1/0"}
    found = variables(ZENA_DATA_DIR=folder, **LAB, **somebody)
    line = command("lab", "run", *words, "--json", module="zena")
    ran = subprocess.run(line, env=found, capture_output=True, text=True, timeout=seconds, check=False)
    assert ran.stdout, ran.stderr
    rows = {row["fault"]: row for row in json.loads(ran.stdout)["rows"]}
    assert [row for row in rows.values() if not row["well"]] == []
    assert ran.returncode == Exit.OK
    return rows


@pytest.mark.proof
def test_faults_are_found_named_and_mended_and_a_sham_opens_nothing(tmp_path: Path) -> None:
    names = ("fence-off", "left-open", "one-moment")
    rows = tried(tmp_path, *names)
    assert sorted(rows) == sorted(names)
    assert {name: row["remedy"] for name, row in rows.items() if row["remedy"]} == {
        "fence-off": "restore_fence", "left-open": "end_idle_transaction",
    }  # fmt: skip
    assert all(row["detect"] < 60 for row in rows.values() if row["symptom"] != "sham")


@pytest.mark.nightly
@pytest.mark.parametrize("symptom", sorted({fault.symptom for fault in FAULTS}), ids=lambda symptom: symptom or "sham")
def test_every_fault_is_found_named_and_mended(tmp_path: Path, symptom: str) -> None:
    tried(tmp_path, *(fault.id for fault in FAULTS if fault.symptom == symptom))


@pytest.mark.proof
def test_nothing_opens_while_people_only_work(tmp_path: Path) -> None:
    minutes = "30" if os.environ.get("ZENA_FULL_SIZE") else "1"
    rows = tried(tmp_path, "--clean", minutes, seconds=60 * float(minutes) + 300)
    assert sorted(rows) == ["mixed"]


@pytest.mark.proof
def test_a_lab_that_is_killed_takes_its_installation_with_it() -> None:
    with open_folder("zl-") as place:
        words = command("lab", "run", "clean", module="zena")
        begun = subprocess.Popen(words, env=variables(ZENA_DATA_DIR=place / "none", TMPDIR=place, **LAB))
        try:
            until(lambda: list(place.glob("zena-lab-*/serve.json")), 60)
            [folder] = place.glob("zena-lab-*")
            note = read_note(folder / "serve.json")
            assert note is not None
        finally:
            begun.kill()
            begun.wait()
        until(lambda: not any(alive(pid) for pid in (note["pid"], *note["crew"].values())), 60)
        until(lambda: urls_of_running(folder) is None)
