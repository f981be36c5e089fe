"""Jobs that nobody can do, that wait for a lock, or that are too many."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import UUID

import asyncpg

from zena.kit.beside import beside
from zena.kit.ids import new_id
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.payload import JobArgument
from zena.operate.lab.contract import Fault, Mends
from zena.operate.lab.place import Place

_FIRM: Final = "SELECT id FROM tenant ORDER BY id LIMIT 1"
_KIND, _LOCKED_KIND = "accounts.mail_notice", "accounts.mail_invitation"
_TAKE_BACK: Final = "DELETE FROM queue.pgqueuer WHERE entrypoint = '{}'"
_PAUSE: Final = "INSERT INTO queue.paused (entrypoint, reason, at) VALUES ('{}', 'lab', now() - interval '1 day')"
_RESUME: Final = "DELETE FROM queue.paused WHERE entrypoint = '{}' AND reason = 'lab'"
_LONG_AGO: Final = """
UPDATE queue.pgqueuer SET created = now() - interval '2 hours', execute_after = now() - interval '2 hours'
 WHERE entrypoint = '{}'
"""
#: One attempt is left to them: what fails is held.
_LAST: Final = "UPDATE queue.pgqueuer SET attempts = 4 WHERE entrypoint = '{}'"
#: Seconds until workers have noticed a pause.
_NOTICED: Final = 3
_MANY, _SOME = 30_000, 60


async def _queue(place: Place, kind: str, number: int, ids: dict[str, JobArgument], *changed: str) -> None:
    """Queue jobs, and change them before a worker sees them."""
    firm: UUID = await place.value(_FIRM)
    async with place.session(place.urls.superuser) as conn, conn.transaction():
        await insert_jobs(conn, kind, [firm] * number, ids=ids)
        for statement in changed:
            await conn.execute(statement)


async def _take_back(place: Place) -> None:
    await place.sql(*(_TAKE_BACK.format(kind) for kind in (_KIND, _LOCKED_KIND)))


@asynccontextmanager
async def _unreadable(place: Place) -> AsyncIterator[None]:
    """A release wrote arguments that this one does not read."""
    await _queue(place, _KIND, _SOME, {"person": new_id()})
    try:
        yield
    finally:
        await _take_back(place)


@asynccontextmanager
async def _too_many(place: Place) -> AsyncIterator[None]:
    """One firm asks for more than the workers get done."""

    async def ask() -> None:
        while True:
            await _queue(place, _KIND, _MANY, {"user_id": new_id(), "kind": "password_changed"})
            await asyncio.sleep(5)

    try:
        async with beside(ask()):
            yield
    finally:
        await _take_back(place)


@asynccontextmanager
async def _behind_a_lock(place: Place) -> AsyncIterator[None]:
    """Jobs wait for a table that somebody holds."""
    async with place.session(place.urls.owner) as conn:
        await conn.execute("BEGIN")
        await conn.execute("LOCK TABLE invitation IN ACCESS EXCLUSIVE MODE")
        await _queue(place, _LOCKED_KIND, _SOME, {"invitation_id": new_id()})
        try:
            yield
        finally:
            await _take_back(place)


async def _let_run(place: Place) -> None:
    await place.sql(_RESUME.format(_KIND))
    await _take_back(place)


@asynccontextmanager
async def _forgotten(place: Place) -> AsyncIterator[None]:
    """Somebody paused a kind of job and went home."""
    await place.sql(_PAUSE.format(_KIND))
    await asyncio.sleep(_NOTICED)
    await _queue(place, _KIND, _SOME, {"user_id": new_id(), "kind": "password_changed"})
    await place.sql(_LONG_AGO.format(_KIND))
    try:
        yield
    finally:
        await _let_run(place)


@asynccontextmanager
async def _code_behind(place: Place) -> AsyncIterator[None]:
    """A migration renamed a column that only a job reads."""
    await place.sql("ALTER TABLE invitation RENAME COLUMN invited_by TO inviter")
    await _queue(place, _LOCKED_KIND, _SOME, {"invitation_id": new_id()}, _LAST.format(_LOCKED_KIND))
    try:
        yield
    finally:
        await _named_back(place)


async def _named_back(place: Place) -> None:
    """The jobs stay: who mended the code has them run again."""
    with suppress(asyncpg.UndefinedColumnError):  # as it should be
        await place.sql("ALTER TABLE invitation RENAME COLUMN inviter TO invited_by")


async def _mended(place: Place) -> None:
    await _named_back(place)
    await _take_back(place)


FAULTS: Final = (
    Fault("job-column", "a migration renamed a column that a job reads", "Q2", "code",
          mends=Mends.AFTERWARDS, heal=_mended, broken=_code_behind),
    Fault("arguments-unreadable", "jobs carry arguments that cannot be read", "Q2", "payload",
          heal=_take_back, broken=_unreadable),
    Fault("too-many-jobs", "more jobs than the workers can do", "Q1", "too_few_workers",
          heal=_take_back, broken=_too_many),
    Fault("jobs-locked", "jobs wait for a lock", "Q1", "lock", also=frozenset({"B1", "B2", "Q2"}),
          heal=_take_back, broken=_behind_a_lock),
    Fault("kind-paused", "a kind of job stays paused", "Q1", "paused", also=frozenset({"Q2"}), heal=_let_run,
          broken=_forgotten),
)  # fmt: skip
