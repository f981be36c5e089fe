"""One whole round: the fences as the server has them, then everything one firm may try on another."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from zena.accounts.facade import Keeper
from zena.kit.cache import Cache
from zena.kit.db import Raw, dialled
from zena.kit.posture import posture_problems
from zena.kit.ratelimit import Buckets
from zena.kit.realtime import Hub
from zena.kit.state import State
from zena.operate.integrity.posture import FENCES, wrong
from zena.operate.isolation.probes import give_up, leave, probes
from zena.operate.isolation.rounds import Trial, routes_of
from zena.operate.isolation.store import begin, finish, is_broken_off, last
from zena.operate.isolation.verdict import Verdict
from zena.operate.tenants.tables import tenant_tables
from zena.settings import Role

_PLENTY: Final = 10**9
#: After these one firm may hold words of the other, which the next round would take for a leak: it makes both anew.
_MIXED: Final = frozenset({"leak", "write"})
#: Held as long as its connection: a process that was killed holds nothing.
_ALONE: Final = "SELECT pg_try_advisory_lock(hashtextextended('zena isolation', 0))"


class Busy(Exception):  # noqa: N818 - says what is
    """Somebody else tries at this moment: the two firms would be found half made."""


async def verify(state: State, create_app: Callable[[State], Any]) -> Verdict:
    """Try one probe firm on the other, by every way there is, and keep what came of it. Needs the URL of zena_ops.

    Raises Busy while somebody else tries.
    """
    began = time.monotonic()
    async with _alone(state) as conn:
        before = await last(conn)
        number = await begin(conn, state.clock.now())
        if before is not None and is_broken_off(before):
            await give_up(conn)  # broken off: nobody knows what went from one firm to the other until then
        async with _trial(state, create_app, conn) as trial:
            routes = list(routes_of(trial.app))
            trial.verdict.routes = len(routes)
            await fences(trial)
            await trial.rows()
            await trial.pages(routes)
            await trial.cached()
            await trial.channels()
            await trial.changes(routes)
        await finish(conn, number, trial.verdict, time.monotonic() - began)
    return trial.verdict


@asynccontextmanager
async def trying(state: State, create_app: Callable[[State], Any]) -> AsyncIterator[Trial]:
    """Open a trial of which nothing is kept. Raises Busy while somebody else has one."""
    async with _alone(state) as conn, _trial(state, create_app, conn) as trial:
        yield trial


@asynccontextmanager
async def _alone(state: State) -> AsyncIterator[Raw]:
    """Lend a connection as zena_ops, while nobody else has one of these."""
    async with dialled(state.settings.dsn(Role.OPS), "zena-isolation", patience=60) as conn:
        if not await conn.fetchval(_ALONE):
            raise Busy
        yield conn


@asynccontextmanager
async def _trial(state: State, create_app: Callable[[State], Any], conn: Raw) -> AsyncIterator[Trial]:
    """Open a trial in an application of its own; everybody is signed out at its end.

    The state becomes the trial's: nothing in it is limited, and its cache holds what the trial has put there alone.
    """
    state.buckets = Buckets(_PLENTY, _PLENTY, _PLENTY)
    state.cache = Cache(clock=state.clock)
    state.hub = Hub(state.db, state.registry, Keeper(state.db), state.clock)
    app = create_app(state)
    state.telemetry.on_request.clear()  # nobody's requests: they are neither logged nor measured
    async with dialled(state.settings.direct_dsn, "zena-isolation") as own:
        mine, other = await probes(state, app, conn)
        trial = Trial(state, app, conn, own, mine, other, await tenant_tables(conn))
        try:
            yield trial
        finally:
            await leave([mine, other])
            if any(one.check in _MIXED for one in trial.verdict.findings):
                await give_up(conn)
            trial.verdict.requests = sum(caller.sent for one in (mine, other) for caller in (one.owner, one.client))


async def fences(trial: Trial) -> None:
    """See that whatever holds firms apart in the server is as it was made."""
    for fence in FENCES:
        trial.verdict.findings += await wrong(trial.conn, fence)
    for problem in await posture_problems(trial.own):
        trial.verdict.found("role", problem.found, advice=problem.wanted)
    trial.verdict.fences = len(FENCES) + 1
