"""What each process with live connections answers when a command asks about one person."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from zena.kit.beside import beside
from zena.kit.ids import new_id
from zena.kit.logs import get_logger
from zena.kit.realtime.outbox import DATABASE_AWAY
from zena.kit.realtime.standing import connections_of, tail_of

if TYPE_CHECKING:
    from zena.kit.realtime import Hub
    from zena.kit.state import State

log = get_logger(__name__)

#: Seconds between two looks for questions, by processes that somebody listens to or has listened to.
EVERY: Final = 1.0
_NOTES: Final = 5
_ASKED: Final = """
SELECT id, tenant_id, user_id FROM ops.live_question WHERE asked_at > now() - interval '15 seconds' ORDER BY asked_at
"""
_ANSWER: Final = """
INSERT INTO ops.live_answer (question_id, process, role, host, pid, facts) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""


class Answering:
    """Looks for questions and answers each once."""

    def __init__(self, state: "State", role: str) -> None:
        self._state = state
        self._me = (new_id(), role, socket.gethostname(), os.getpid())
        self._answered: set[UUID] = set()

    async def run(self) -> None:
        """Answer until cancelled. A question that cannot be answered in time goes without: whoever asked says so."""
        while True:
            await asyncio.sleep(EVERY)
            hub = self._state.hub
            if hub is None or not (hub.members or hub.notes.recent):
                continue
            try:
                await self.look(hub)
            except DATABASE_AWAY as error:
                log.warning("questions about live connections not read", error=type(error).__name__)

    async def look(self, hub: "Hub") -> None:
        """Answer what was asked and not answered yet."""
        async with self._state.db.lend() as conn:
            asked = await conn.fetch(_ASKED)
            for row in asked:
                if row["id"] in self._answered:
                    continue
                facts = answer(hub, row["tenant_id"], row["user_id"])
                async with conn.transaction():
                    await conn.execute("SET TRANSACTION READ WRITE")  # also while changes are switched off
                    await conn.execute(_ANSWER, row["id"], *self._me, facts)
        self._answered = {row["id"] for row in asked}


def answer(hub: "Hub", tenant: UUID, user: UUID) -> dict[str, Any]:
    """Return one person's connections here, how the outbox is read here, and how their last ones ended."""
    notes = hub.notes.about(tenant, user)[:_NOTES]
    feed = hub.feeds.get(tenant)
    return {
        "connections": connections_of(hub, tenant, user),
        "notes": [{"at": note.at.isoformat(), "said": note.said} for note in notes],
        "position": feed.position if feed else None,
        **tail_of(hub),
    }


@asynccontextmanager
async def answering(state: "State", role: str) -> AsyncIterator[None]:
    """Answer questions about the live connections of this process during the block."""
    async with beside(Answering(state, role).run()):
        yield
