"""The only composition root: reads the settings, builds the parts, lets each slice register, wires the doors."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from litestar import Litestar, Request
from litestar.di import Provide
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler, Message, Scope
from pydantic import SecretStr

from zena import accounts, api, insight, operate, web, work
from zena.accounts.closed import refuse_in_maintenance
from zena.accounts.doorman import Keeper
from zena.accounts.entry import (
    provide_actor,
    provide_identity,
    provide_reader,
    provide_session,
    provide_visitor,
    refuse_early,
)
from zena.accounts.facade import issue_set_up_link, issue_sign_in_link
from zena.accounts.idempotency import Replayed, note_answer, replay_handler
from zena.kit import realtime
from zena.kit.assets import Assets
from zena.kit.cache import Cache
from zena.kit.clock import Clock, SystemClock
from zena.kit.db import Database, DatabaseOptions
from zena.kit.guard import Guard, GuardRules
from zena.kit.html import FormRefused, error_page, refused_form
from zena.kit.logs import log_request
from zena.kit.mail import mailer_from_url
from zena.kit.pages import Cursors
from zena.kit.problems import problem_handlers
from zena.kit.queue.worker import run_worker
from zena.kit.ratelimit import Buckets
from zena.kit.realtime import Hub
from zena.kit.registry import Registry
from zena.kit.state import State
from zena.kit.storage import LocalStorage
from zena.kit.strict import StrictRequest, strict_request
from zena.kit.telemetry import Telemetry
from zena.kit.templates import Renderer
from zena.kit.throttle import Settler
from zena.operate.crossings.noting import noting
from zena.operate.maintenance.start import note_start, said_at_start
from zena.operate.maintenance.watch import watching
from zena.operate.realtime.answering import answering
from zena.operate.telemetry.running import measuring
from zena.operate.tending import tending
from zena.operate.tuning.knobs import limits
from zena.settings import LiveRing, Role, Settings
from zena.work.demo.load import load_demo

#: In the order in which they stand in the side bar.
SLICES = (insight, work, accounts, operate, web, api)

DEPENDENCIES = {
    "session": Provide(provide_session),
    "reader": Provide(provide_reader),
    "actor": Provide(provide_actor),
    "identity": Provide(provide_identity),
    "visitor": Provide(provide_visitor),
}


def build_registry() -> Registry:
    """Let every slice and shell say what it brings."""
    registry = Registry()
    for room in SLICES:
        room.register(registry)
    return registry


def build_state(settings: Settings, *, clock: Clock | None = None, worker: bool = False) -> State:
    """Make the parts of a process; nothing is connected before `started(state)`."""
    registry = build_registry()
    clock, telemetry = clock or SystemClock(), Telemetry()
    ring = LiveRing(settings)
    return State(
        settings=settings,
        registry=registry,
        clock=clock,
        db=Database(database_options(settings, worker=worker), telemetry),
        ring=ring,
        cache=Cache(_plain(settings.redis_url), clock=clock),
        cursors=Cursors(lambda: [key.secret for key in ring().keys.values()]),
        mail=mailer_from_url(_plain(settings.smtp_url), settings.mail_from or ""),
        storage=LocalStorage(settings.files_path),
        buckets=Buckets(settings.rate_user, settings.rate_tenant, settings.rate_anonymous),
        telemetry=telemetry,
        reading=_reading(settings),
        html=Renderer(registry.templates, Assets(web.STATIC)),
    )


def _reading(settings: Settings) -> Database | None:
    """Return the small pool for measurements, of its own: looking must neither starve the work nor be starved by it."""
    url = settings.secret_url(Role.OPS_READ)
    if url is None:
        return None
    return Database(DatabaseOptions(url.get_secret_value(), pool_size=2, application="zena-ops-read", pooled=False))


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def database_options(settings: Settings, *, worker: bool = False) -> DatabaseOptions:
    """Return what one process of this kind asks of the database."""
    return DatabaseOptions(
        url=settings.dsn(),
        direct_url=settings.direct_dsn,
        pool_size=settings.worker_pool_size if worker else settings.pool_size,
        statement_timeout=settings.worker_statement_timeout if worker else settings.statement_timeout,
        pool_timeout=settings.pool_timeout,
        lock_timeout=settings.lock_timeout,
        application="zena-worker" if worker else "zena-web",
        pooled=settings.pooled,
    )


@asynccontextmanager
async def started(state: State) -> AsyncIterator[State]:
    """Connect the parts, and disconnect them in reverse."""
    await state.db.start()
    await state.cache.start()
    if state.reading is not None:
        await state.reading.start()
    state.cache.on_lookup.append(state.telemetry.cache)
    try:
        yield state
    finally:
        if state.reading is not None:
            await state.reading.stop()
        await state.cache.stop()
        await state.db.stop()


def create_app(state: State) -> Guard:
    """Return the ASGI application of a web process: the guard around the framework around the slices."""
    state.describe = lambda: api.describe(state.registry.routes, DEPENDENCIES)
    return _guarded(state, "web", [*state.registry.routes, *realtime.ROUTES])


def create_live_app(state: State) -> Guard:
    """Return the ASGI application of a process that takes live connections and nothing else."""
    return _guarded(state, "websocket", [*realtime.ROUTES, *operate.live_routes()])


def _guarded(state: State, role: str, routes: Sequence[ControllerRouterHandler]) -> Guard:
    app = Litestar(
        route_handlers=routes,
        dependencies=DEPENDENCIES,
        exception_handlers={**problem_handlers(error_page), FormRefused: refused_form, Replayed: replay_handler},
        lifespan=[partial(_lifespan, role)],
        openapi_config=None,
        request_max_body_size=None,
        before_request=_at_the_door,
        request_class=StrictRequest,
        after_request=note_answer,
        before_send=[_tell_limits],
        logging_config=None,
        debug=False,
    )
    app.state.zena = state
    state.telemetry.on_request.append(log_request)
    return Guard(app, guard_rules(state), state.telemetry)


async def work_jobs(state: State, stop: asyncio.Event) -> None:
    """Be a worker process: take jobs and fire schedules until `stop` is set."""
    await note_start(state.settings)
    async with watching(state), measuring(state, "worker"), tending(state):
        await run_worker(state, state.registry, stop)


async def stopping(state: State) -> None:
    """Say goodbye to the live connections of a web process before it drains: they would never end by themselves."""
    if state.hub is not None:
        await state.hub.farewell()


async def welcome(settings: Settings, *, demo: bool = False) -> str | None:
    """Load the demonstration firm if asked; return the one-time link that lets the first person in, if one is due."""
    await note_start(settings)
    closed = await said_at_start(settings)
    if closed:
        return closed
    async with started(build_state(settings, worker=True)) as state:
        if demo:
            owner = await load_demo(state.db, at=state.clock.now())
            return await issue_sign_in_link(state.db, settings.public_url, owner)
        return await issue_set_up_link(state.db, settings.public_url)


def guard_rules(state: State) -> GuardRules:
    settings = state.settings
    return GuardRules(
        public_url=settings.public_url,
        websocket_url=settings.websocket_url,
        trusted_proxies=tuple(str(network) for network in settings.trusted_proxies),
        uploads=tuple(state.registry.uploads),
    )


def routes_of(state: State) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Return method, path template and options of every HTTP route: what the authorization matrix must cover."""
    guard = create_app(state)
    for route in guard.app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method not in {"OPTIONS", "HEAD"}:
                    yield str(method), route.path_format, handler.opt


async def _at_the_door(request: Request[Any, Any, Any]) -> None:
    """Refuse who may not come in, then what cannot be read. Not a guard: the framework copies the handler for each."""
    await refuse_in_maintenance(request)
    await refuse_early(request)
    await strict_request(request)


async def _tell_limits(message: Message, scope: Scope) -> None:
    """Add the RateLimit headers that the door left with the request."""
    if message["type"] == "http.response.start":
        limits = scope["state"].get("limits") or {}
        message["headers"] = [*message["headers"], *((n.lower().encode(), v.encode()) for n, v in limits.items())]


@asynccontextmanager
async def _lifespan(role: str, app: Litestar) -> AsyncIterator[None]:
    state: State = app.state.zena
    async with started(state), measuring(state, role):
        state.hub = Hub(state.db, state.registry, Keeper(state.db), state.clock, limits(state.settings, {}))
        await state.hub.start()
        settling = asyncio.create_task(Settler(state.db, state.buckets, lambda: state.secret).run())
        try:
            async with watching(state), answering(state, role), noting(state):
                yield
        finally:
            settling.cancel()
            await state.hub.stop()
            state.hub = None
