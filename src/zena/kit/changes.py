"""What was done to the installation, written where every chart and every diagnosis looks for a cause."""

import getpass
import json
import socket
from collections.abc import Mapping
from typing import Any, Final

from zena.kit.db import Raw

KINDS: Final = ("deploy", "migration", "setting", "flag", "maintenance", "remedy", "backup")
#: Text that is cast: connections with and without our JSON codec take it alike.
_RECORD: Final = """
INSERT INTO ops.change (at, kind, what, actor, before, after)
VALUES (clock_timestamp(), $1, $2, $3, $4::text::jsonb, $5::text::jsonb)
"""


async def record(
    conn: Raw,
    kind: str,
    what: str,
    *,
    actor: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one change, as zena_ops. `kind` is one of KINDS; `before` and `after` hold no secrets."""
    await conn.execute(_RECORD, kind, what, actor or here(), _text(before), _text(after))


def here() -> str:
    """Return who runs this program, for the record: person and machine."""
    try:
        person = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        person = "unknown"
    return f"{person}@{socket.gethostname()}"


def _text(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else json.dumps(facts, default=str)
