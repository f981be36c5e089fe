"""A web process whose measuring is switched off by SIGUSR1 and on again by SIGUSR2: `python -m bench.switched web ...`.

Two processes of the very same program differ by some per cent for as long as they live, by where their memory came to
lie; what measuring costs is less than that, so both are measured in one.
"""

import signal
import sys
from dataclasses import fields, replace
from typing import Any

from zena.__main__ import HOOKS
from zena.cli import build_cli, main
from zena.kit.logs import log_request
from zena.main import build_state as made
from zena.settings import Settings


def build_state(settings: Settings, *, worker: bool) -> Any:
    """Make the state as the application does, and listen for the two signals."""
    state = made(settings, worker=worker)
    hooks = [found for one in fields(state.telemetry) if isinstance(found := getattr(state.telemetry, one.name), list)]
    kept: list[list[Any]] = []

    def off(*_: object) -> None:
        kept[:] = [list(hook) for hook in hooks]
        for hook in hooks:
            hook[:] = [listener for listener in hook if listener is log_request]  # a log is no measurement

    def on(*_: object) -> None:
        for hook, listeners in zip(hooks, kept, strict=False):
            hook[:] = listeners

    signal.signal(signal.SIGUSR1, off)
    signal.signal(signal.SIGUSR2, on)
    return state


if __name__ == "__main__":
    sys.exit(main(build_cli((), replace(HOOKS, build_state="bench.switched:build_state"))))
