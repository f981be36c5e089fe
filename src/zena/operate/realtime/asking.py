"""Asking every process about one person's live connections, and gathering the answers."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from zena.kit.db import Raw
from zena.kit.ids import new_id
from zena.operate.realtime.answering import EVERY
from zena.operate.realtime.processes import processes

#: Seconds for those who have just got their first listener, and for those who are known to have some.
_LEAST: Final = EVERY + 0.7
_MOST: Final = 4.0
_POLL: Final = 0.1

_ASK: Final = "INSERT INTO ops.live_question (id, tenant_id, user_id) VALUES ($1, $2, $3)"
_HEARD: Final = "SELECT role, host, pid, facts FROM ops.live_answer WHERE question_id = $1 ORDER BY role, host, pid"
_FORGET: Final = "DELETE FROM ops.live_question WHERE id = $1 OR asked_at < now() - interval '1 minute'"


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered. `silent` are processes that had listeners at their last sign of life and did not answer."""

    given: list[dict[str, Any]]
    silent: list[str]
    reporting: int


async def ask(conn: Raw, tenant: UUID, user: UUID) -> Answers:
    """Ask as zena_ops, and wait for the answers, some seconds at most."""
    known = [one for one in await processes(conn) if one["alive"]]
    expected = {(one["host"], one["pid"]): one["role"] for one in known if one["live"]["connections"]}
    question, loop = new_id(), asyncio.get_running_loop()
    began = loop.time()
    await conn.execute(_ASK, question, tenant, user)
    try:
        while True:
            await asyncio.sleep(_POLL)
            given = [dict(row) for row in await conn.fetch(_HEARD, question)]
            missing = expected.keys() - {(row["host"], row["pid"]) for row in given}
            waited = loop.time() - began
            if waited > _MOST or (waited > _LEAST and not missing):
                silent = [f"{expected[one]} {one[0]} pid {one[1]}" for one in sorted(missing)]
                return Answers(given, silent, len(known))
    finally:
        await conn.execute(_FORGET, question)
