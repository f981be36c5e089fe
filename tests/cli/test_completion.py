"""Tab in a shell: what the shell sends, and what it is answered."""

import shutil
import subprocess
import sys

import pytest

from tests.cli.run import command, variables, zena
from zena.kit.exits import Exit


def bash(line: str) -> list[str]:
    """Ask as bash does for the words that may follow."""
    words = line.split(" ")
    done = subprocess.run(
        command(module="zena"),
        env=variables(_ZENA_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=len(words) - 1),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("zena why ", {"login", "access", "slow", "job"}),
        ("zena queue re", {"resume", "restart", "retry"}),
        ("zena trace --exp", {"--explain"}),
    ],
)
def test_lazy_groups_and_merged_ones_are_finished(line: str, wanted: set[str]) -> None:
    assert wanted <= set(bash(line))


def test_the_other_shells_are_answered_in_their_way() -> None:
    asked = {"_TYPER_COMPLETE_ARGS": "zena why ac", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    for shell, answer in (("zsh", '"access"'), ("fish", "access\t")):
        assert answer in zena(module="zena", _ZENA_COMPLETE=f"complete_{shell}", **asked).out


def test_a_real_bash_takes_the_script() -> None:
    ran = zena("completion", "bash", module="zena")
    assert ran.code == 0
    shell = shutil.which("bash")
    assert shell
    done = subprocess.run(
        [shell, "-c", f'{ran.out}\nzena() {{ "{sys.executable}" -m zena "$@"; }}\nexport -f zena\ncomplete -p zena'],
        env=variables(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "_zena_completion" in done.stdout
    assert zena("completion", "tcsh", module="zena").code == Exit.USAGE
