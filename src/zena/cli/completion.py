"""`zena completion`: what a shell needs to finish our words."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from zena.cli.output import say

#: Set by the shell when it asks for the words that may follow.
VARIABLE = "_ZENA_COMPLETE"


class Shell(StrEnum):
    """The shells whose words we finish."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the script that makes a shell finish commands and options of zena with Tab.

    Example: zena completion bash > ~/.local/share/bash-completion/completions/zena
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="zena", complete_var=VARIABLE, shell=shell.value)
    say({"shell": shell.value, "script": script}, script)


def prepare() -> None:
    """Make ready to answer a shell that asks; costs nothing for everybody else."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
