"""What happens once before work begins, while the processes load their code behind a closed gate."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping

from zena.kit.exits import Exit
from zena.kit.supervisor.plan import Spec

_PATIENCE = 10.0


class Preparation:
    """The preparing process, and the gate: a pipe that ends for every reader when the way is free."""

    def __init__(self) -> None:
        self.line = ""
        self.gate, self._bar = os.pipe()
        self._open = False
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended

    @property
    def done(self) -> bool:
        """Whether the gate is open."""
        return self._open

    def begin(self, spec: Spec | None, variables: Mapping[str, str]) -> None:
        """Start the process; without one the gate opens at once."""
        if spec is None:
            self._open_gate()
            return
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [*spec.command, "--parent", str(os.getpid())],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            start_new_session=True,
        )

    def look(self) -> int | None:
        """Return the exit status if the process failed; open the gate if it did well."""
        if self._open or self._process is None:
            return None
        status = self._process.poll()
        if status == 0:
            self.line = self._said()
            self._open_gate()
        elif status is not None:
            return status if status > 0 else Exit.INTERNAL
        return None

    def end(self) -> None:
        """Stop the process if it still runs; what it began is rolled back or resumed by the next start."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _open_gate(self) -> None:
        self._open = True
        os.close(self._bar)

    def _said(self) -> str:
        self._output.seek(0)
        try:
            return str(json.loads(self._output.read().splitlines()[-1])["line"] or "")
        except (IndexError, ValueError, KeyError, TypeError):
            return ""
