"""Following a request: as somebody, through the whole application, twice, with nothing of it kept."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from zena.accounts.facade import Borrowed, borrow_session, cookie_name, give_back
from zena.kit import changes
from zena.kit.cache import Cache
from zena.kit.csrf import SAFE_METHODS, TOKEN_HEADER
from zena.kit.db import dialled
from zena.operate.database.plans import NotASelect, marks, plan_of
from zena.operate.tracing.held import HeldDatabase
from zena.operate.tracing.request import Answer, Wanted, ask
from zena.operate.tracing.watching import TimedRenderer, Watched
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

#: How many of the slowest statements have their plan shown.
_EXPLAINED: Final = 3
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a request answered and did. `first_ms` is how long it took while this process was still cold."""

    who: Borrowed
    answer: Answer
    seen: Watched
    first_ms: float


async def follow(
    state: "State", create_app: Callable[["State"], Any], wanted: Wanted, *, email: str, tenant: str | None
) -> Followed:
    """Run a request as this person in this firm (short name; None: theirs) and return what it did.

    Its changes are rolled back, its use is recorded. Raises NotFound for an unknown person or firm, TimeoutError for
    an answer that does not end.
    """
    async with dialled(state.settings.dsn(Role.OPS), "zena-trace") as ops:
        who = await borrow_session(ops, email=email, tenant=tenant)
        try:
            facts = {"as": str(who.user), "tenant": str(who.tenant) if who.tenant else None}
            await changes.record(ops, "remedy", f"trace {wanted.told}", after=facts)
            return await _twice(state, create_app, wanted, who)
        finally:
            await give_back(ops, who)


async def _twice(state: "State", create_app: Callable[["State"], Any], wanted: Wanted, who: Borrowed) -> Followed:
    """Run it once to warm up (templates, prepared statements, the server's own caches), then once to look."""
    seen, usual = Watched(), state.db
    held = HeldDatabase(usual)
    state.html = TimedRenderer(state.html, state.registry.templates, seen)
    state.db = held
    await held.start()
    try:
        app = create_app(state)
        seen.listen(state.telemetry)
        credentials = {"cookie": f"{cookie_name(state)}={who.cookie}"}
        if wanted.method not in SAFE_METHODS:
            credentials[TOKEN_HEADER.lower()] = who.form
        for round_ in range(2):
            await _forget_cached(state, wanted)
            await held.rewind()
            seen.begin()
            answer = await ask(app, wanted, state.settings.public_url, credentials)
            seen.end()
            if round_ == 0:
                first = seen.total_ms
    finally:
        await held.stop()
        state.db = usual
    return Followed(who, answer, seen, first)


async def _forget_cached(state: "State", wanted: Wanted) -> None:
    """Begin with an empty cache of this process's own; a shared one is used as it is, but only by reads.

    What a change that is rolled back has computed must not reach others.
    """
    if state.cache.store.shared and wanted.method in SAFE_METHODS:
        return
    await state.cache.stop()
    state.cache = Cache(clock=state.clock)
    state.cache.on_lookup.append(state.telemetry.cache)
    await state.cache.start()


async def plans(state: "State", followed: Followed) -> list[dict[str, Any]]:
    """Return the plans the application gets for the slowest SELECTs of a request, in its firm."""
    slowest = sorted(followed.seen.steps, key=lambda step: -step.ms)
    told: list[dict[str, Any]] = []
    async with dialled(state.settings.direct_dsn, "zena-trace") as conn:
        for step in slowest:
            if len(told) == _EXPLAINED:
                break
            if "gate." in step.statement or any(one["statement"] == step.statement for one in told):
                continue  # a function's plan says nothing of what is inside
            with suppress(NotASelect, asyncpg.PostgresError):
                plan = await plan_of(conn, step.statement, followed.who.tenant or _NOBODY)
                told.append(
                    {
                        "statement": step.statement,
                        "ms": step.ms,
                        "plan": plan.text,
                        "marks": await marks(conn, plan),
                    }
                )
    return told
