"""Measuring in a process: listeners put in, the loop's lag watched, everything flushed until the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Final

from zena.kit.logs import get_logger
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests
from zena.operate.telemetry.shadow import counting

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

_TICK: Final = 0.25


@asynccontextmanager
async def measuring(state: "State", role: str) -> AsyncIterator[Recorder | None]:
    """Measure this process as `role` (web, worker, websocket) during the block, unless ZENA_TELEMETRY is off."""
    if not state.settings.telemetry:
        yield None
        return
    recorder = Recorder(Requests(), pace=state.settings.pace)
    listen(state, recorder)
    tasks = [
        asyncio.create_task(Flusher(state, recorder, role).run()),
        asyncio.create_task(_watch_loop(recorder, role)),
    ]
    try:
        yield recorder
    finally:
        for task in tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(state.db.options.pool_timeout):
                await asyncio.gather(*tasks, return_exceptions=True)


def listen(state: "State", recorder: Recorder) -> None:
    """Let the recorder hear what the process's telemetry says."""
    telemetry = state.telemetry
    telemetry.on_request.append(recorder.request)
    telemetry.on_query.append(recorder.query)
    telemetry.on_job.append(recorder.job)
    telemetry.on_cache.append(recorder.cache)
    telemetry.on_wait.append(recorder.wait)
    telemetry.on_delivery.append(recorder.delivered)
    telemetry.on_live.append(recorder.live)
    state.cache.shadow.listeners.append(counting(recorder))
    state.cache.shadow.every *= state.settings.pace


async def _watch_loop(recorder: Recorder, role: str) -> None:
    """Count by how much a short sleep comes late: what blocks the loop delays everybody."""
    while True:
        began = perf_counter()
        await asyncio.sleep(_TICK)
        recorder.observe("loop.lag", role, max(0.0, (perf_counter() - began - _TICK) * 1000))
        try:
            recorder.settle()
        except Exception:  # whatever cannot be counted must not end the watch
            log.exception("measurements not counted")
