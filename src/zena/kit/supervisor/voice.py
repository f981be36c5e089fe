"""What the supervisor says: answers to the operator on stdout, events on stderr and in the log, one line each.

Whoever listened may be gone (a closed terminal, a full disk); that must not end the supervisor.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zena.kit.logfile import LogFile

_log: list[LogFile] = []


def keep_log(where: Mapping[str, Any]) -> None:
    """Write events to a log file too: `path`, `max_bytes` and `keep`; to none where nothing is given."""
    _log[:] = [LogFile(Path(where["path"]), where["max_bytes"], where["keep"])] if where else []


def announce(line: str) -> None:
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def tell(message: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"zena: {message}\n")
        sys.stderr.flush()
    who = {"logger": __name__, "request_id": None, "tenant": None, "user": None}
    line = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "level": "error", "channel": "app", "event": message}
    for log in _log:
        log.write(json.dumps(line | who).encode() + b"\n")
