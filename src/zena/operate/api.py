"""What is measured, over HTTP: for operators, and for whoever calls from this machine."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from msgspec import Meta

from zena.accounts.facade import Entered
from zena.kit.access import public
from zena.kit.errors import NotFound
from zena.kit.realtime.standing import standing
from zena.kit.state import state_of
from zena.operate.door import check_operator, may_know, reading
from zena.operate.metrics.prometheus import as_prometheus
from zena.operate.metrics.report import report
from zena.operate.metrics.requests import request_called

Seconds = Annotated[int, Meta(ge=60, le=30 * 86_400)]
AnyRequest = Request[Any, Any, Any]


@get("/api/v1/metrics", opt=public(choosy=True))
async def metrics(
    request: AnyRequest,
    visitor: Entered,
    window: FromQuery[Seconds] = 900,
    format: FromQuery[Literal["json", "prometheus"]] = "json",
) -> Response[bytes]:
    """Rates, errors, p50, p95 and p99 per route, statement, job and cache family of the last `window` seconds."""
    check_operator(request, visitor)
    state = state_of(request)
    async with reading(state) as conn:
        found = await report(conn, state.clock.now(), timedelta(seconds=window))
    if format == "prometheus":
        return Response(as_prometheus(found).encode(), media_type="text/plain; version=0.0.4; charset=utf-8")
    return Response(msgspec.json.encode(found), media_type="application/json")


@get("/api/v1/observability/request/{request_id:str}", opt=public(choosy=True))
async def one_request(request: AnyRequest, visitor: Entered, request_id: FromPath[str]) -> Response[bytes]:
    """One request that was kept, for being slow, failed, refused, repetitive or a sample; with its statements."""
    check_operator(request, visitor)
    async with reading(state_of(request)) as conn:
        found = await request_called(conn, request_id)
    if found is None:
        raise NotFound.of("request")
    return Response(msgspec.json.encode(found), media_type="application/json")


class LiveHealth(msgspec.Struct, omit_defaults=True):
    """`ok` tells whether live connections are taken here; the numbers are for who may know."""

    ok: bool
    status: str
    stats: dict[str, Any] | None = None


@get("/api/v1/ws/health", opt=public())
async def live_health(request: AnyRequest, visitor: Entered) -> Response[LiveHealth]:
    """Answer 200 while this process takes live connections, else 503."""
    hub = state_of(request).hub
    takes = hub is not None and not hub.is_leaving
    answer = LiveHealth(takes, "ok" if takes else "unavailable")
    if hub is not None and may_know(request, visitor):
        answer.stats = standing(hub)
    return Response(answer, status_code=200 if takes else 503)


ROUTES = [metrics, one_request, live_health]
