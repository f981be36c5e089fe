"""What the load is made of: requests worth a look, costly statements, the cache, live connections, the queue."""

from typing import Annotated, Any, Final, Literal

from litestar import Response, get
from litestar.params import FromPath, FromQuery
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.html import AnyRequest
from zena.kit.queue.failures import failures
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.kit.tally import REPEATED
from zena.operate.console.desk import BACK, REPORT_AGE, Back, answer, lately, memo_of
from zena.operate.metrics.firms import called
from zena.operate.metrics.requests import request_called, slowest

#: Why a request is kept.
Reason = Literal["", "slow", "failed", "repeated", "denied", "statement", "sample"]
Route = Annotated[str, Meta(max_length=200)]
_MOST: Final = 50
_HELD: Final = 100


@get("/ops/requests", opt=operator())
async def requests(
    request: AnyRequest,
    session: AsyncSession,
    identity: Identity,
    route: FromQuery[Route] = "",
    reason: FromQuery[Reason] = "",
    back: FromQuery[Back] = "1h",
) -> Response[str]:
    """The slowest kept requests, and the routes, the busiest first."""

    async def read(conn: Raw) -> dict[str, Any]:
        now, wanted = state_of(request).clock.now(), route.strip()
        since, name = now - BACK[back], f"requests:{reason}:{back}"

        async def look() -> list[dict[str, Any]]:
            return await slowest(conn, since, route=wanted or None, kept_for=reason or None, limit=_MOST)

        kept = await look() if wanted else await memo_of(request).get(name, now, REPORT_AGE, look)
        found = await lately(request, conn, back, "http")
        routes = found["http"]["routes"][:_MOST]
        return {"kept": kept, "route": route, "reason": reason, "back": back, "routes": routes}

    return await answer(request, session, identity, "ops/requests.html", read)


@get("/ops/requests/{request_id:str}", opt=operator())
async def one_request(
    request: AnyRequest, session: AsyncSession, identity: Identity, request_id: FromPath[str]
) -> Response[str]:
    """One kept request with its statements, how often each was sent and from where."""

    async def read(conn: Raw) -> dict[str, Any]:
        found = await request_called(conn, request_id)
        if found is None:
            raise NotFound.of("request")
        return {"found": found, "repeated": REPEATED}

    return await answer(request, session, identity, "ops/request.html", read)


@get("/ops/queries", opt=operator())
async def queries(
    request: AnyRequest, session: AsyncSession, identity: Identity, back: FromQuery[Back] = "1h"
) -> Response[str]:
    """The statements that took most of the database's time."""
    return await _lately(request, session, identity, back, "ops/queries.html", "database")


@get("/ops/cache", opt=operator())
async def cache(
    request: AnyRequest, session: AsyncSession, identity: Identity, back: FromQuery[Back] = "1h"
) -> Response[str]:
    """How often each family of figures was answered from the cache, and why not."""
    return await _lately(request, session, identity, back, "ops/cache.html", "cache")


@get("/ops/realtime", opt=operator())
async def realtime(
    request: AnyRequest, session: AsyncSession, identity: Identity, back: FromQuery[Back] = "1h"
) -> Response[str]:
    """Live connections: who takes them, how soon listeners are told, how connections ended."""

    async def read(conn: Raw) -> dict[str, Any]:
        found = await lately(request, conn, back, "realtime")
        known = await called(conn, {one["tenant"] for one in found["realtime"]["firms"]})
        return {"report": found, "back": back, "known": known}

    return await answer(request, session, identity, "ops/realtime.html", read)


@get("/ops/queue", opt=operator())
async def queue(
    request: AnyRequest, session: AsyncSession, identity: Identity, back: FromQuery[Back] = "1h"
) -> Response[str]:
    """What waits, runs and is held. Messages of failures are left out: they may quote what a firm wrote."""

    async def read(conn: Raw) -> dict[str, Any]:
        found = await lately(request, conn, back, "queue")
        return {"report": found, "back": back, "held": await failures(conn, limit=_HELD)}

    return await answer(request, session, identity, "ops/queue.html", read)


async def _lately(
    request: AnyRequest, session: AsyncSession, identity: Identity, back: Back, template: str, part: str
) -> Response[str]:
    async def read(conn: Raw) -> dict[str, Any]:
        return {"report": await lately(request, conn, back, part), "back": back}

    return await answer(request, session, identity, template, read)


ROUTES = [requests, one_request, queries, cache, realtime, queue]
