"""The same events as a plain HTTP stream, for networks that let no socket through."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from zena.kit.access import in_tenant
from zena.kit.errors import Forbidden, Invalid, NotFound, Problem, Unavailable
from zena.kit.logs import get_logger
from zena.kit.realtime.channels import ChannelRefused
from zena.kit.realtime.doorman import Entrant
from zena.kit.realtime.frames import error_frame, restart_frame
from zena.kit.realtime.hub import SERVICE_RESTART, TRY_AGAIN_LATER, Hub
from zena.kit.realtime.limits import LimitReachedError
from zena.kit.realtime.mailbox import Mailbox
from zena.kit.realtime.member import Member
from zena.kit.realtime.outbox import DATABASE_AWAY
from zena.kit.uow import Reader

log = get_logger(__name__)

_HEARTBEAT: Final = 15.0
_WAITING: Final = 16
_MOST_CHANNELS: Final = 20

Names = Annotated[list[str], QueryParameter(name="channel", min_items=1, max_items=_MOST_CHANNELS)]
LastId = Annotated[int | None, HeaderParameter(name="Last-Event-ID", ge=0, required=False)]


@get("/api/v1/app/events", opt=in_tenant(), name="events")
async def event_stream(
    request: Request[Any, Any, Any], reader: NamedDependency[Reader], channels: Names, last_id: LastId = None
) -> Stream:
    """Stream the events of some channels. `Last-Event-ID` continues where a former stream ended."""
    hub: Hub | None = request.app.state.zena.hub
    if hub is None:
        raise Unavailable
    scope = reader.scope
    entrant = Entrant(scope, scope.identity.session if scope.identity else None, scope.token)
    for name in channels:
        try:
            await hub.authorize(reader.conn, entrant, name)
        except ChannelRefused as refused:
            raise _as_problem(refused) from refused
    stream = EventStream(hub, entrant, channels, last_id)
    return Stream(stream.lines(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _as_problem(refused: ChannelRefused) -> Problem:
    if refused.code == "permission_denied":
        return Forbidden(detail=refused.message)
    if refused.code == "invalid_channel":
        return Invalid.field("channel", refused.message, refused.code)
    return NotFound()  # another firm's channel looks like one that does not exist


class EventStream:
    """One stream. The request's transaction has ended before its first line; it holds no database connection."""

    def __init__(self, hub: Hub, entrant: Entrant, names: list[str], since: int | None) -> None:
        self._hub = hub
        self._entrant = entrant
        self._names = names
        self._since = since
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(_WAITING)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the stream, until the client leaves or may listen no longer."""
        now = asyncio.get_running_loop().time()
        mailbox = Mailbox(self._frames.put, lambda: self._hub.give_up(member), self._hub.limits)
        member = Member(
            self._entrant,
            mailbox,
            end=lambda code, reason: self._end(member, code, reason),
            heard_at=now,
            checked_at=now,
            must_speak=False,
            wants_marks=True,
        )
        try:
            await self._hub.join(member)
        except LimitReachedError as error:
            yield _line(error_frame("connection_limit", str(error)))
            return
        except DATABASE_AWAY as error:
            log.warning("stream not begun", error=type(error).__name__)
            return
        subscribing = asyncio.create_task(self._subscribe(member))
        try:
            while (line := await self._next_line()) is not None:
                yield line
        finally:
            subscribing.cancel()
            if member in self._hub.members:
                self._hub.notes.left(None, self._entrant)
            self._hub.leave(member)
            mailbox.close()

    async def _subscribe(self, member: Member) -> None:
        try:
            await self._hub.subscribe(member, self._names, self._since)
        except ChannelRefused as refused:
            self._hub.notes.refused(refused.code, self._entrant, " ".join(self._names)[:200])
            member.mailbox.post(error_frame(refused.code, refused.message))
        except DATABASE_AWAY as error:
            log.warning("stream not begun", error=type(error).__name__)
            self._end(member, TRY_AGAIN_LATER, "try again later")

    async def _next_line(self) -> bytes | None:
        try:
            async with asyncio.timeout(_HEARTBEAT):
                told = await self._frames.get()
        except TimeoutError:
            return b": still here\n\n"
        return None if told is None else _line(told)

    def _end(self, member: Member, code: int, reason: str) -> None:
        """Tell nothing more and let the stream run out; at a restart with the pause to take."""
        if member not in self._hub.members:
            return
        self._hub.notes.closed(code, reason, self._entrant)
        self._hub.leave(member)
        member.mailbox.close()
        while not self._frames.empty():
            self._frames.get_nowait()
        if code == SERVICE_RESTART:
            self._frames.put_nowait(restart_frame(self._hub.pause()))
        self._frames.put_nowait(None)


def _line(told: str) -> bytes:
    """Write a frame as an event of the stream.

    The id stands in a block of its own, after all channels were told of an event: a stream cut between two of them
    begins again before both.
    """
    members: dict[str, Any] = msgspec.json.decode(told)
    op = members.pop("op")
    if op == "mark":
        return b"id: %d\n\n" % members["position"]
    if "retry_after" in members:
        return b"retry: %d\n\n" % (members["retry_after"] * 1000)  # what the browser waits before it opens it again
    return b"event: %s\ndata: %s\n\n" % (op.encode(), msgspec.json.encode(members))
