"""Is it alive, can it serve? The answer names causes only to a caller on this very machine (J09)."""

import asyncio
import time
from typing import Any

import msgspec
from litestar import Request, Response, get

from zena import __version__
from zena.kit.access import public
from zena.kit.state import State, state_of
from zena.kit.visit import visit_of

#: A dependency that answers later than this counts as down, seconds.
PATIENCE = 1.0


class Dependency(msgspec.Struct):
    """One thing the service needs. `latency_ms` is None when it did not answer in time."""

    name: str
    ok: bool
    latency_ms: float | None


class Health(msgspec.Struct, omit_defaults=True):
    """`ok` tells whether requests can be served; `dependencies` and `version` are for callers on this machine only."""

    ok: bool
    status: str
    version: str | None = None
    dependencies: list[Dependency] | None = None


@get("/api/v1/health", opt=public())
async def health(request: Request[Any, Any, Any]) -> Response[Health]:
    """Answer 200 when requests can be served, else 503."""
    state = state_of(request)
    found = [await _database(state)]
    ok = all(dependency.ok for dependency in found)
    answer = Health(ok, "ok" if ok else "unavailable")
    if visit_of(request.scope).local:
        answer.version, answer.dependencies = __version__, found
    return Response(answer, status_code=200 if ok else 503, headers={} if ok else {"Retry-After": "5"})


@get("/api/v1/health/live", opt=public())
async def live() -> Health:
    """Answer as long as the process turns, whatever it depends on."""
    return Health(ok=True, status="live")


async def _database(state: State) -> Dependency:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE), state.db.pool.acquire() as conn:
            await conn.fetchval("SELECT 1")
    except Exception:  # noqa: BLE001 - whatever the driver raises, the answer is the same: not available
        return Dependency("database", ok=False, latency_ms=None)
    return Dependency("database", ok=True, latency_ms=round((time.perf_counter() - began) * 1000, 2))


ROUTES = [health, live]
