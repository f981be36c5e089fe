"""What was found to be wrong: incidents, one with its causes and what can be done, and the runbook as it stands."""

from datetime import datetime, timedelta
from typing import Any, Final

from litestar import Response, get
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.html import AnyRequest
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.operate.console.desk import REPORT_AGE, answer, memo_of
from zena.operate.console.remedies import what_can_be_done
from zena.operate.console.sources import page_of
from zena.operate.incidents.listing import last_opened, listed, one
from zena.operate.incidents.timeline import diagnosis, words
from zena.operate.metrics.firms import called
from zena.operate.remedies.catalogue import REMEDIES
from zena.operate.remedies.runs import efficacy
from zena.operate.symptoms.catalogue import BY_ID, SYMPTOMS
from zena.operate.watch.now import detectors, silent, suspects

TEMPLATE: Final = "ops/incident.html"
_BACK: Final = timedelta(days=30)
_MOST: Final = 100
#: What took how long, by the column that says when.
_STEPS: Final = ("opened_at", "acked_at", "mitigated_at", "verified_at", "closed_at")


@get("/ops/incidents", opt=operator())
async def incidents(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """The incidents of a month, open ones first, and what is not watched."""

    async def read(conn: Raw) -> dict[str, Any]:
        state = state_of(request)
        now = state.clock.now()
        found = await listed(conn, closed=True, since=now - _BACK, limit=_MOST)
        trouble = await silent(conn, SYMPTOMS, now, state.settings.pace)
        return {"incidents": found, "trouble": trouble, "titles": {one.id: one.title for one in SYMPTOMS}}

    return await answer(request, session, identity, "ops/incidents.html", read)


@get("/ops/incidents/{number:int}", opt=operator())
async def one_incident(
    request: AnyRequest, session: AsyncSession, identity: Identity, number: FromPath[int], back: FromQuery[int] = 0
) -> Response[str]:
    """One incident: what was measured, why, what can be done, what was done, and what happened in order.

    `back` is a run that somebody thinks of taking back, where that wants its name typed.
    """

    async def read(conn: Raw) -> dict[str, Any]:
        return await incident_page(request, conn, number) | {"back": back}

    return await answer(request, session, identity, TEMPLATE, read)


async def incident_page(request: AnyRequest, conn: Raw, number: int) -> dict[str, Any]:
    """Return what the page of an incident shows. NotFound without one of that number."""
    found = await one(conn, number) if 0 < number < 2**63 else None
    if found is None:
        raise NotFound.of("incident")
    why = diagnosis(found["timeline"])
    return {
        "found": found,
        "known": await called(conn, [each["label"] for each in found["reach"]["firms"]]),
        "page_of": page_of,
        "steps": [(name, found[name], found[name] - found["began_at"]) for name in _STEPS if found[name]],
        "symptom": BY_ID.get(found["symptom"]),
        "why": why,
        "words": words,
        **await what_can_be_done(conn, state_of(request).clock.now(), found, why),
    }


@get("/ops/runbook", opt=operator())
async def runbook(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """Every entry of the runbook: how it stands now, when it was open last, and what answers it."""

    async def read(conn: Raw) -> dict[str, Any]:
        state = state_of(request)
        now = state.clock.now()
        found: dict[str, Any] = await memo_of(request).get(
            "runbook", now, REPORT_AGE, lambda: _entries(conn, now, state.settings.pace)
        )
        return found

    return await answer(request, session, identity, "ops/runbook.html", read)


async def _entries(conn: Raw, now: datetime, pace: float) -> dict[str, Any]:
    return {
        "watched": await detectors(conn, SYMPTOMS, now, pace),
        "suspects": await suspects(conn),
        "open": {row["symptom"]: row["id"] for row in await listed(conn, closed=False, since=now, limit=_MOST)},
        "last": await last_opened(conn),
        "answers": {one.id: [way for way in REMEDIES if one.id in way.symptoms] for one in SYMPTOMS},
        "helped": await efficacy(conn),
    }


ROUTES = [incidents, one_incident, runbook]
