"""What was found to be wrong: the symptoms that are watched, incidents, and one with its causes and timeline."""

from datetime import timedelta
from typing import Any, Final

from litestar import Response, get
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.html import AnyRequest
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.operate.console.desk import answer
from zena.operate.incidents.listing import listed, one
from zena.operate.incidents.timeline import words
from zena.operate.symptoms.catalogue import BY_ID, SYMPTOMS
from zena.operate.watch.now import detectors

_BACK: Final = timedelta(days=30)
_MOST: Final = 100
#: What took how long, by the column that says when.
_STEPS: Final = ("opened_at", "acked_at", "mitigated_at", "verified_at", "closed_at")


@get("/ops/incidents", opt=operator())
async def incidents(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """Every symptom with how it stands, and the incidents of a month, open ones first."""

    async def read(conn: Raw) -> dict[str, Any]:
        state = state_of(request)
        now = state.clock.now()
        found = await listed(conn, closed=True, since=now - _BACK, limit=_MOST)
        watched = await detectors(conn, SYMPTOMS, now, state.settings.pace)
        return {"incidents": found, "watched": watched, "titles": {one.id: one.title for one in SYMPTOMS}}

    return await answer(request, session, identity, "ops/incidents.html", read)


@get("/ops/incidents/{number:int}", opt=operator())
async def one_incident(
    request: AnyRequest, session: AsyncSession, identity: Identity, number: FromPath[int]
) -> Response[str]:
    """One incident: what was measured, why, how long each step took, and what happened in order."""

    async def read(conn: Raw) -> dict[str, Any]:
        found = await one(conn, number) if 0 < number < 2**63 else None
        if found is None:
            raise NotFound.of("incident")
        why = next((entry["body"] for entry in found["timeline"] if entry["kind"] == "diagnosed"), None)
        steps = [(name, found[name], found[name] - found["began_at"]) for name in _STEPS if found[name]]
        return {"found": found, "why": why, "steps": steps, "symptom": BY_ID.get(found["symptom"]), "words": words}

    return await answer(request, session, identity, "ops/incident.html", read)


ROUTES = [incidents, one_incident]
