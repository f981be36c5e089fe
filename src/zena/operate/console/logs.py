"""What went wrong: errors by what they have in common, and the latest error lines of this machine."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from litestar import Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.html import AnyRequest
from zena.kit.logs import log_state
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.operate.console.desk import REPORT_AGE, answer, memo_of
from zena.operate.logs.groups import grouped
from zena.operate.logs.reading import Line, Wanted, newest, when

SPANS: Final = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "30d": timedelta(days=30)}
_LINES: Final = 50
#: Lines older than this are left to `zena logs`: looking for few errors in many lines takes time.
_BACK: Final = timedelta(hours=6)
#: What a page shows of a line. Messages and stacks stay on the server: they may quote what a firm wrote.
_SHOWN: Final = ("channel", "event", "code", "what", "place", "route", "request_id", "job_name")


@get("/ops/logs", opt=operator())
async def logs(
    request: AnyRequest, session: AsyncSession, identity: Identity, span: FromQuery[Literal["1h", "24h", "30d"]] = "24h"
) -> Response[str]:
    """Errors of the last hour, day or month by code and place, and the latest lines."""

    async def read(conn: Raw) -> dict[str, Any]:
        state = state_of(request)
        now, memo = state.clock.now(), memo_of(request)
        wanted = Wanted(level="error", since=now - _BACK)
        groups = await memo.get(f"errors:{span}", now, REPORT_AGE, lambda: grouped(conn, now - SPANS[span]))
        lines = await memo.get(
            "error-lines", now, REPORT_AGE, lambda: asyncio.to_thread(_latest, state.settings.logs_path, wanted)
        )
        return {"groups": groups, "lines": lines, "span": span, "spans": list(SPANS), "fares": log_state()}

    return await answer(request, session, identity, "ops/logs.html", read)


def _latest(folder: Path, wanted: Wanted) -> list[Line]:
    """Return the latest error lines, the newest first; none where the files cannot be read."""
    try:
        found = newest(folder, wanted, _LINES)
    except OSError:
        return []
    return [{"at": when(line)} | {name: line.get(name) for name in _SHOWN} for line in reversed(found)]


ROUTES = [logs]
