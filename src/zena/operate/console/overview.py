"""The first page: is everybody there, are the promises kept, how did it go."""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from litestar import Response, get
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.html import AnyRequest
from zena.kit.i18n import N_
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.operate.backup.standing import newest_proved
from zena.operate.changes import listed
from zena.operate.console.charts import line, marks
from zena.operate.console.desk import REPORT_AGE, answer, lately, memo_of
from zena.operate.incidents import listing as incidents
from zena.operate.metrics.over_time import SPANS, Moment, Span, over_time
from zena.operate.symptoms.catalogue import SYMPTOMS
from zena.operate.telemetry.rollup import TOGETHER, USERS

_PARTS: Final = ("http", "statements", "cache", "queue", "realtime", "processes", "slo", "security")
#: Open incidents that are named.
_MOST: Final = 5
#: How long a chart is kept: the longer the look back, the less a minute changes it.
_AGE: Final = {"1h": timedelta(seconds=9), "24h": timedelta(minutes=1), "30d": timedelta(minutes=10)}
#: A successor may start so long before its predecessor has written for the last time.
_OVERLAP: Final = timedelta(seconds=15)
#: The words of the objectives, which the API and the commands tell in English.
TITLES: Final = {
    "dashboard": N_("Dashboard within 500 ms"),
    "api": N_("API within 300 ms"),
    "errors": N_("Requests without an error of ours"),
    "database": N_("Statements within 100 ms"),
    "queue": N_("Jobs begun within 60 s"),
    "delivery": N_("Live updates within 2 s"),
    "sign_in": N_("Sign-in works"),
    "cache": N_("Look-ups answered from the cache"),
}


@get("/ops", opt=operator())
async def overview(
    request: AnyRequest, session: AsyncSession, identity: Identity, span: FromQuery[Literal["1h", "24h", "30d"]] = "1h"
) -> Response[str]:
    """Processes, promises, and charts of the last hour, day or month."""

    async def read(conn: Raw) -> dict[str, Any]:
        now, shown = state_of(request).clock.now(), SPANS[span]
        merged = USERS if shown.resolution is None else [TOGETHER]
        found = await lately(request, conn, "1h", *_PARTS)
        moments: list[Moment] = await memo_of(request).get(
            f"charts:{span}", now, _AGE[span], lambda: over_time(conn, merged, shown, now)
        )
        backup = await memo_of(request).get("backup", now, REPORT_AGE, lambda: newest_proved(conn, now))
        return {
            "report": found,
            "incidents": await incidents.listed(conn, closed=False, since=now, limit=_MOST),
            "symptoms": {one.id: one.title for one in SYMPTOMS},
            "backup": backup,
            "titles": TITLES,
            "processes": fates(found["processes"]),
            **drawn(moments, shown, await listed(conn, moments[0].at)),
        }

    return await answer(request, session, identity, "ops/overview.html", read)


def fates(processes: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Return each process with its fate: up, replaced by one begun when it was last seen, or silent."""
    alive = [one for one in processes if one["alive"]]

    def fate(one: dict[str, Any]) -> str:
        kin = [other for other in alive if (other["role"], other["host"]) == (one["role"], one["host"])]
        replaced = any(other["started_at"] > one["seen_at"] - _OVERLAP for other in kin)
        return "up" if one["alive"] else "replaced" if replaced else "silent"

    return [(one, fate(one)) for one in processes]


def drawn(moments: list[Moment], span: Span, made: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the three charts of a span, with the changes that fall into it, and the same in rows for reading."""
    since: datetime = moments[0].at
    until = moments[-1].at + span.step
    return {
        "span": span.id,
        "spans": list(SPANS),
        "since": since,
        "until": until,
        "rate": line([one.per_second for one in moments], 0.1),
        "p95": line([one.p95_ms for one in moments], 10),
        "errors": line([one.bad_share * 100 if one.n else None for one in moments]),
        "marks": marks(made, since, until),
        "moments": list(reversed(moments)),
    }


ROUTES = [overview]
