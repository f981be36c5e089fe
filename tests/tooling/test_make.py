"""The make targets: listed, readable by a plain shell, and quiet when there is nothing to do."""

import re
import subprocess

import pytest

from scripts.check import STEPS
from scripts.tree import ROOT, files, read

SHELL = [*files(".sh", below=("scripts/",)), ".ci/run"]


def make(*words: str) -> str:
    return subprocess.run(["make", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_every_target_is_listed_with_what_it_does() -> None:
    declared = set(re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[0].split()) - {"tools"}
    assert {line.split()[1] for line in make().splitlines() if len(line.split()) > 2} == declared


@pytest.mark.parametrize("path", SHELL)
def test_scripts_are_readable_by_their_shell(path: str) -> None:
    shell = read(path).splitlines()[0].rpartition("/")[2].split()[-1]
    subprocess.run([shell, "-n", path], cwd=ROOT, check=True)
    assert (ROOT / path).stat().st_mode & 0o111


def test_ci_runs_check_test_and_proof_in_this_order_with_no_input() -> None:
    lines = read(".ci/run").splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test", "make proof"]
    assert "set -euo pipefail" in lines
    assert "exec </dev/null" in lines


def test_every_step_of_the_check_can_be_started() -> None:
    for name, command in STEPS.items():
        module = command[2] if command[1] == "-m" else None
        assert module is None or (ROOT / f"{module.replace('.', '/')}.py").is_file(), name
