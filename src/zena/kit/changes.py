"""What was done by hand, written where every chart and every diagnosis looks for the cause of a change."""

import getpass
import json
from typing import Any, Final

from zena.kit.db import Raw

_NOTE: Final = "INSERT INTO ops.change (kind, what, actor, after) VALUES ($1, $2, $3, $4::text::jsonb)"


async def note(conn: Raw, what: str, *, kind: str = "remedy", **facts: Any) -> None:
    """Write down what a command did, and which user of this machine called it."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        who = "unknown"
    await conn.execute(_NOTE, kind, what, f"command line, {who}", json.dumps(facts, default=str))
