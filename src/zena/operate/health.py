"""Is it alive, can it serve? The answer names causes only to operators and to a caller on this very machine (J09)."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from litestar import Request, Response, get

from zena import __version__
from zena.accounts.facade import Entered
from zena.kit.access import public
from zena.kit.logs import log_state
from zena.kit.state import State, state_of
from zena.kit.visit import visit_of
from zena.operate.door import check_operator, reading

#: A dependency that answers later than this counts as down, seconds.
PATIENCE: Final = 1.0
#: A worker that has not written its measurements for so long is taken for gone, seconds.
SILENT: Final = 35
_LEAST_FREE: Final = 256 * 2**20

_WORKER = "SELECT extract(epoch FROM now() - max(seen_at))::float8 FROM ops.heartbeat WHERE role = 'worker'"


class Dependency(msgspec.Struct):
    """One thing the service needs. `latency_ms` is None when it did not answer in time; `detail` says what was seen."""

    name: str
    ok: bool
    latency_ms: float | None
    detail: str = ""


class Health(msgspec.Struct, omit_defaults=True):
    """`ok` tells whether requests can be served; the rest is for operators and for callers on this machine.

    `status`: ok, degraded (served, but something beside is down), unavailable; live for the process alone.
    """

    ok: bool
    status: str
    version: str | None = None
    dependencies: list[Dependency] | None = None


AnyRequest = Request[Any, Any, Any]


@get("/api/v1/health", opt=public())
async def health(request: AnyRequest) -> Response[Health]:
    """Answer 200 when requests can be served, else 503; with every dependency for who may know."""
    state = state_of(request)
    if not visit_of(request.scope).local:
        return _answer(await _seen("database", _database, state), None)
    found = [await _seen(name, check, state) for name, check in CHECKS]
    return _answer(found[0], found)


@get("/api/v1/health/detail", opt=public(choosy=True))
async def detail(request: AnyRequest, visitor: Entered) -> Response[Health]:
    """As health, with every dependency and its latency: for operators from anywhere."""
    check_operator(request, visitor)
    found = [await _seen(name, check, state_of(request)) for name, check in CHECKS]
    return _answer(found[0], found)


@get("/api/v1/health/ready", opt=public())
async def ready(request: AnyRequest) -> Response[Health]:
    """Answer 200 when this process can serve: what a balancer asks before it sends somebody here."""
    return _answer(await _seen("database", _database, state_of(request)), None)


@get("/api/v1/health/live", opt=public())
async def live() -> Health:
    """Answer as long as the process turns, whatever it depends on."""
    return Health(ok=True, status="live")


def _answer(needed: Dependency, found: list[Dependency] | None) -> Response[Health]:
    whole = all(one.ok for one in found or [needed])
    status = "unavailable" if not needed.ok else "ok" if whole else "degraded"
    answer = Health(needed.ok, status)
    if found is not None:
        answer.version, answer.dependencies = __version__, found
    return Response(answer, status_code=200 if needed.ok else 503, headers={} if needed.ok else {"Retry-After": "5"})


async def _seen(name: str, check: Callable[[State], Awaitable[str | None]], state: State) -> Dependency:
    """Run one check. A text says what is wrong; so does not answering in time, or any error."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            wrong = await check(state)
    except TimeoutError:
        return Dependency(name, ok=False, latency_ms=None, detail=f"no answer within {PATIENCE:g} s")
    except Exception as error:  # noqa: BLE001 - whatever it raises, the answer is the same: not available
        return Dependency(name, ok=False, latency_ms=None, detail=type(error).__name__)
    took = round((time.perf_counter() - began) * 1000, 2)
    return Dependency(name, ok=wrong is None, latency_ms=took, detail=wrong or "")


async def _database(state: State) -> str | None:
    async with state.db.lend() as conn:
        await conn.fetchval("SELECT 1")
    return None


async def _cache(state: State) -> str | None:
    return "does not answer; each process computes for itself" if state.cache.store.breaker.is_open else None


async def _disk(state: State) -> str | None:
    free = shutil.disk_usage(state.settings.data_dir).free
    return f"{free / 2**20:.0f} MiB free" if free < _LEAST_FREE else None


async def _worker(state: State) -> str | None:
    async with reading(state) as conn:
        silent: float | None = await conn.fetchval(_WORKER)
    if silent is None:
        return "none has been seen"
    return f"silent for {silent:.0f} s" if silent > SILENT else None


async def _logs(_: State) -> str | None:
    """Tell of this process's lines: those of a worker are told by `zena status`."""
    found = log_state()
    if found.trouble:
        return f"files take no lines: {found.trouble}; {found.held} held, {found.dropped} dropped"
    return f"{found.dropped} lines dropped" if found.recently else None


async def _live_updates(state: State) -> str | None:
    return None if state.hub is not None else "not running in this process"


CHECKS: Final = (
    ("database", _database),
    ("cache", _cache),
    ("disk", _disk),
    ("worker", _worker),
    ("live_updates", _live_updates),
    ("logs", _logs),
)
ROUTES = [health, detail, ready, live]
