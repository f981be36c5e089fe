"""The book of orders: placed by who serves pages, taken up and ended by a worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from zena.kit.db import Database, Raw
from zena.kit.errors import Forbidden
from zena.kit.uow import ledger

Kind = Literal["acknowledge", "note", "close", "plan", "apply", "undo"]
KINDS: Final[tuple[Kind, ...]] = ("acknowledge", "note", "close", "plan", "apply", "undo")
#: An order that no worker took up within so long is not done any more: nobody expects it by then.
LAPSES: Final = timedelta(minutes=2)
_MOST: Final = 20
_NOBODY: Final = "no worker took it up within two minutes; nothing was done"
_GONE: Final = "the worker that did it is gone, its effect is unknown: look before anything else"

_PLACE: Final = text("SELECT gate.place_order(:session, :incident, :kind, :words, :remedy, :hash, :run, :even_so)")
_LIST: Final = """
SELECT id, kind, words, remedy, plan_hash, run_id, actor, at, state, ended_at, says, told, plan
  FROM ops.operator_order WHERE incident_id = $1 ORDER BY id DESC LIMIT $2
"""
_OPEN: Final = """
SELECT coalesce(bool_or(state = 'waiting'), false) AS waiting, coalesce(bool_or(state = 'running'), false) AS running
  FROM ops.operator_order WHERE ended_at IS NULL
"""
_LAPSE: Final = """
UPDATE ops.operator_order SET state = 'refused', says = $2, ended_at = now()
 WHERE state = 'waiting' AND at < now() - $1::interval
"""
_NEXT: Final = "SELECT id FROM ops.operator_order WHERE state = 'waiting' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
_TAKE: Final = "UPDATE ops.operator_order SET state = 'running' WHERE id = $1 RETURNING *"
_TELL: Final = "UPDATE ops.operator_order SET told = $2 WHERE id = $1 AND state = 'running'"
_END: Final = """
UPDATE ops.operator_order SET state = $2, says = $3, told = $4, plan = $5::text::jsonb, ended_at = now()
 WHERE id = $1 AND state = 'running'
"""
_RUNNING: Final = "SELECT id FROM ops.operator_order WHERE state = 'running' ORDER BY id"
_INTERRUPT: Final = """
UPDATE ops.operator_order SET state = 'interrupted', says = $2, ended_at = now() WHERE id = $1 AND state = 'running'
"""
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(concat('order:', $1::bigint), 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(concat('order:', $1::bigint), 0))"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to an incident. `words` are a note, a reason, or what was typed to confirm."""

    incident: int
    kind: Kind
    words: str = ""
    remedy: str = ""
    hash: str = ""
    run: int | None = None
    even_so: bool = False


async def place(db: Database, session: UUID | None, order: Order) -> None:
    """Write an order down, in a transaction of its own. Forbidden without a second factor proved just now."""
    values = {
        "session": session, "incident": order.incident, "kind": order.kind, "words": order.words,
        "remedy": order.remedy, "hash": order.hash, "run": order.run, "even_so": order.even_so,
    }  # fmt: skip
    async with ledger(db) as book:
        if await book.scalar(_PLACE, values) is None:
            raise Forbidden("operator")


async def orders_of(conn: Raw, incident: int) -> list[dict[str, Any]]:
    """Return the last orders for an incident, the newest first."""
    return [dict(row) for row in await conn.fetch(_LIST, incident, _MOST)]


async def standing(conn: Raw) -> tuple[bool, bool]:
    """Tell whether orders wait, and whether any is being done."""
    row = await conn.fetchrow(_OPEN)
    return (row["waiting"], row["running"]) if row else (False, False)


async def take(conn: Raw) -> Mapping[str, Any] | None:
    """Take the oldest order that waits, as zena_ops; None if there is none. It is this session's until that ends."""
    async with conn.transaction():
        await conn.execute(_LAPSE, LAPSES, _NOBODY)
        number = await conn.fetchval(_NEXT)
        if number is None or not await conn.fetchval(_LOCK, number):
            return None
        row: Mapping[str, Any] | None = await conn.fetchrow(_TAKE, number)
        return row


async def tell(conn: Raw, order: int, lines: Sequence[str]) -> None:
    """Write what there is to tell so far."""
    await conn.execute(_TELL, order, list(lines))


async def end(conn: Raw, order: int, state: str, says: str, lines: Sequence[str], plan: str | None) -> None:
    """Write what came of an order; `plan` is JSON."""
    await conn.execute(_END, order, state, says, list(lines), plan)


async def finish_interrupted(conn: Raw) -> list[int]:
    """End orders whose worker is gone, and return their numbers."""
    found = []
    for row in await conn.fetch(_RUNNING):
        if not await conn.fetchval(_LOCK, row["id"]):
            continue
        try:
            if await conn.execute(_INTERRUPT, row["id"], _GONE) == "UPDATE 1":
                found.append(row["id"])
        finally:
            await conn.execute(_UNLOCK, row["id"])
    return found
