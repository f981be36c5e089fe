"""What the supervisor says: answers to the operator on stdout, events on stderr, one line each.

Whoever listened may be gone (a closed terminal, a full disk); that must not end the supervisor.
"""

import sys
from contextlib import suppress


def announce(line: str) -> None:
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def tell(message: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"zena: {message}\n")
        sys.stderr.flush()
