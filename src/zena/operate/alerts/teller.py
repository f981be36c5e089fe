"""Who tells: a task of each worker beside all else it does, so that a slow channel keeps nobody from looking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from zena.kit.beside import beside
from zena.kit.db import Raw, dialled
from zena.kit.logs import get_logger
from zena.operate.alerts.channels import channels
from zena.operate.alerts.contract import Answer, Channel
from zena.operate.alerts.describing import described
from zena.operate.notices import outbox
from zena.operate.notices.telling import tell_due
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger(__name__)

#: Seconds between two looks, and so the pace of one channel: Slack takes a message a second.
EVERY: Final = 1.0
_PATIENCE: Final = 5
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Teller:
    """Writes what is due and sends what waits, one notice of each channel at a time.

    The claim on a notice is committed before it is sent, and ends by itself: a sender that is killed leaves it to be
    sent once more, never unsent.
    """

    def __init__(self, state: "State") -> None:
        self._state = state
        self._channels = channels(state.settings, state.mail, state.clock)
        self._under_way: dict[str, tuple[dict[str, Any], asyncio.Task[Answer]]] = {}

    async def run(self) -> None:
        """Tell until cancelled, over a connection of its own that is dialled anew when it breaks."""
        try:
            while True:
                try:
                    async with dialled(self._state.settings.dsn(Role.OPS), "zena-alerts", patience=_PATIENCE) as conn:
                        while True:
                            await self.once(conn)
                            await asyncio.sleep(EVERY)
                except _AWAY as error:
                    log.warning("nobody is told: the database does not answer", error=type(error).__name__)
                except Exception:  # a fault of ours must not silence all alerts until the next start
                    log.exception("nobody is told")
                await asyncio.sleep(EVERY)
        finally:
            for _, task in self._under_way.values():
                task.cancel()

    async def once(self, conn: Raw) -> None:
        """Write what is due, write down what came of what was sent, and begin to send what waits."""
        now = self._state.clock.now()
        await tell_due(conn, self._state.settings, now)
        await self._note_answers(conn)
        for one in await outbox.give_up(conn, now):
            log.error("a notice was given up: nobody was told", **one)
        idle = [name for name in self._channels if name not in self._under_way]
        for name in await outbox.waiting(conn, idle, now):
            await self._begin(conn, self._channels[name])

    async def settled(self) -> None:
        """Wait until nothing is being sent; what came of it is written down at the next look."""
        if self._under_way:
            await asyncio.wait([task for _, task in self._under_way.values()])

    async def _begin(self, conn: Raw, channel: Channel) -> None:
        claimed = await outbox.claim(conn, channel.name, self._state.clock.now())
        if claimed is not None:
            notice = await described(conn, self._state.settings, claimed)
            self._under_way[channel.name] = claimed, asyncio.create_task(channel.send(notice))

    async def _note_answers(self, conn: Raw) -> None:
        for name, (claimed, task) in list(self._under_way.items()):
            if task.done():
                await self._note(conn, claimed, _answer(task))
                del self._under_way[name]

    async def _note(self, conn: Raw, claimed: dict[str, Any], answer: Answer) -> None:
        now, about = self._state.clock.now(), {"channel": claimed["channel"], "key": claimed["key"]}
        if answer.taken:
            await outbox.sent(conn, claimed["id"], answer.ref, now)
            log.info("notice sent", **about)
        elif answer.final:
            await outbox.failed(conn, claimed["id"], answer.says, now)
            log.error("a notice was refused for good: nobody was told", **about, error=answer.says)
        else:
            wait = outbox.delay(claimed["attempts"], answer.wait)
            await outbox.again(conn, claimed["id"], wait, answer.says, now)
            log.warning("a notice was not taken", **about, error=answer.says, again_in=round(wait.total_seconds()))


def _answer(task: "asyncio.Task[Answer]") -> Answer:
    """What came of sending; a fault of ours is an answer too, or the channel would stay busy for good."""
    if task.cancelled():
        return Answer(taken=False, says="sending was broken off")
    error = task.exception()
    if error is not None:
        log.error("a notice could not be sent", exc_info=error)
        return Answer(taken=False, says=f"it could not be sent: {type(error).__name__}")
    return task.result()


@asynccontextmanager
async def telling(state: "State") -> AsyncIterator[None]:
    """Tell during the block; not at all where no channel is set, or this process has not been given the role for it."""
    if not state.settings.alert_channels:
        log.warning("no channel of alerts is set: nobody is told of incidents (docs/operate/alerts.md)")
        yield
        return
    if state.settings.secret_url(Role.OPS) is None:
        log.warning("nobody is told of incidents: this wants ZENA_DATABASE_OPS_URL")
        yield
        return
    async with beside(Teller(state).run()):
        yield
