"""The socket: says who it is within five seconds, then subscribes and listens."""

import asyncio
from typing import Any, Final

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from zena.kit.access import public
from zena.kit.errors import Forbidden, Problem
from zena.kit.logs import get_logger
from zena.kit.realtime.channels import Channel, ChannelRefused
from zena.kit.realtime.closed import Closed
from zena.kit.realtime.doorman import NOT_ALLOWED, UNAUTHENTICATED, Entrant
from zena.kit.realtime.frames import (
    Authenticate,
    Misformed,
    Ping,
    Said,
    Subscribe,
    Unreadable,
    error_frame,
    frame,
    read_frame,
    restart_frame,
)
from zena.kit.realtime.hub import SERVICE_RESTART, TRY_AGAIN_LATER, Hub
from zena.kit.realtime.limits import LimitReachedError, Meter
from zena.kit.realtime.mailbox import Mailbox
from zena.kit.realtime.member import Member
from zena.kit.realtime.outbox import DATABASE_AWAY

log = get_logger(__name__)

Socket = WebSocket[Any, Any, Any]

_UNSUPPORTED: Final = 1003
_NOT_JSON: Final = 1007
_POLICY: Final = 1008
_TOO_BIG: Final = 1009
_BROKEN: Final = 1011

_CLOSING_SECONDS: Final = 5.0
#: Messages beyond the rate that are answered with an error before the socket is closed.
_STRIKES: Final = 20
#: What an attempt on another tenant weighs among them.
_PROBING: Final = 4


@websocket("/ws", opt=public())
async def ws_handler(socket: Socket) -> None:
    """The live connection. The guard has checked the Origin; who it is, the first frame must say."""
    hub: Hub | None = socket.app.state.zena.hub
    if hub is None or hub.is_closed or hub.strangers >= hub.limits.strangers:
        if hub is not None:
            hub.notes.closed(TRY_AGAIN_LATER, "closed" if hub.is_closed else "too many strangers")
            hub.notes.entering("closed" if hub.is_closed else "strangers")
        await socket.close(TRY_AGAIN_LATER)
        return
    await socket.accept()
    await Conversation(hub, socket).run()


class Conversation:
    """What is said on one socket."""

    __slots__ = ("_entrant", "_hub", "_is_over", "_meter", "_socket", "_step", "_strikes")

    def __init__(self, hub: Hub, socket: Socket) -> None:
        self._hub = hub
        self._socket = socket
        self._meter = Meter(hub.limits.messages_per_connection)
        self._strikes = 0
        self._entrant: Entrant | None = None
        self._is_over = False
        self._step = "silent"  # what it means when it ends now; nothing once they are in

    async def run(self) -> None:
        try:
            self._entrant = await self._enter()
            await self._converse(self._entrant)
        except Closed as closed:
            if closed.code is None:
                self._attempted("left")
                self._note(closed.theirs)
                return
            self._attempted(self._step)
            await self._close(closed.code, closed.reason, closed.last)
        except DATABASE_AWAY:
            self._attempted("away")
            await self._close(TRY_AGAIN_LATER, "try again later", None)
        except Exception:
            log.exception("conversation failed")
            self._attempted("broken")
            await self._close(_BROKEN, "", None)

    async def _enter(self) -> Entrant:
        limits = self._hub.limits
        hello = frame("connection", heartbeat=limits.heartbeat_seconds, timeout=limits.timeout_seconds)
        self._hub.strangers += 1
        try:
            await self._socket.send_text(hello)
            return await self._identify(await self._hear_in_time(limits.authenticate_seconds))
        finally:
            self._hub.strangers -= 1

    async def _hear_in_time(self, seconds: float) -> Said:
        try:
            async with asyncio.timeout(seconds):
                return await self._hear()
        except TimeoutError:
            raise Closed(UNAUTHENTICATED, "say who you are first") from None

    async def _identify(self, said: Said) -> Entrant:
        try:
            match said:
                case Authenticate(token=str(token), ticket=None):
                    self._step = "token"
                    return await self._hub.doorman.by_token(token)
                case Authenticate(token=None, ticket=str(ticket)):
                    self._step = "ticket"
                    return await self._hub.doorman.by_ticket(ticket)
                case _:
                    raise Closed(UNAUTHENTICATED, "say who you are first")
        except Forbidden as problem:
            self._step = "no_access"
            raise Closed(NOT_ALLOWED, "no access", error_frame("permission_denied", problem.detail)) from problem
        except Problem as problem:
            raise Closed(UNAUTHENTICATED, "not valid", error_frame("unauthenticated", problem.detail)) from problem

    async def _converse(self, entrant: Entrant) -> None:
        now = asyncio.get_running_loop().time()
        mailbox = Mailbox(self._socket.send_text, lambda: self._hub.give_up(member), self._hub.limits)
        member = Member(entrant, mailbox, lambda code, reason: self._end(member, code, reason), now, now)
        try:
            await self._hub.join(member)
        except LimitReachedError as error:
            self._step = error.why
            raise Closed(TRY_AGAIN_LATER, "too many", error_frame("connection_limit", str(error))) from error
        self._attempted("in")
        try:
            mailbox.post(frame("authentication", user=entrant.scope.user, tenant=entrant.scope.tenant))
            while True:
                await self._answer(member, await self._hear())
        finally:
            self._hub.leave(member)
            mailbox.close()

    def _attempted(self, what: str) -> None:
        """Count how this attempt ended, once: they are in, or why not."""
        if self._step:
            self._step = ""
            self._hub.notes.entering(what)

    async def _answer(self, member: Member, said: Said) -> None:
        now = asyncio.get_running_loop().time()
        member.heard_at = now
        if not (self._meter.allows(now) and self._hub.may_speak(member, now)):
            self._hub.counts["rate_limited"] += 1
            self._strike(1)
            member.mailbox.post(error_frame("rate_limited", "Too many messages; this one was ignored."))
            return
        match said:
            case Ping():
                member.mailbox.post(frame("pong", position=self._position(member)))
            case Subscribe():
                await self._subscribe(member, said)
            case Authenticate():
                raise Closed(_POLICY, "known already", error_frame("invalid_message", "You have said who you are."))
            case _:
                self._unsubscribe(member, said.channel)

    async def _subscribe(self, member: Member, said: Subscribe) -> None:
        try:
            await self._hub.subscribe(member, [said.channel], said.since)
        except ChannelRefused as refused:
            self._hub.counts["refused"] += 1
            self._hub.notes.refused(refused.code, member.entrant, said.channel[:200])
            member.mailbox.post(error_frame(refused.code, refused.message, said.channel[:200]))
            if refused.code == "cross_tenant":
                self._strike(_PROBING)

    def _unsubscribe(self, member: Member, name: str) -> None:
        channel = Channel.parse(name)
        if channel is not None and self._hub.unsubscribe(member, channel):
            member.mailbox.post(frame("unsubscription", channel=name))
        else:
            member.mailbox.post(error_frame("invalid_channel", "You do not listen to that.", name[:200]))

    def _position(self, member: Member) -> int | None:
        """The tenant's position when everything up to it has been told here: a quiet client's `since`."""
        feed = self._hub.feeds.get(member.entrant.scope.tenant)
        settled = feed is not None and all(ear.live for ear in member.subscriptions.values())
        return feed.position if feed is not None and settled else None

    def _strike(self, weight: int) -> None:
        self._strikes += weight
        if self._strikes > _STRIKES:
            raise Closed(_POLICY, "too many messages", error_frame("rate_limited", "Too many messages."))

    async def _hear(self) -> Said:
        """Return the next message of the peer; whatever is none ends the conversation."""
        try:
            message: Any = await self._socket.receive()
        except WebSocketDisconnect as left:
            raise Closed(theirs=left.code) from left
        if message["type"] != "websocket.receive":
            raise Closed(theirs=message.get("code"))
        text = message.get("text")
        if text is None:
            raise Closed(_UNSUPPORTED, "text only", error_frame("invalid_message", "Frames are text."))
        if len(text) > self._hub.limits.frame_bytes:
            raise Closed(_TOO_BIG, "too big", error_frame("invalid_message", "This frame is too big."))
        try:
            return read_frame(text)
        except Unreadable as error:
            raise Closed(_NOT_JSON, "not JSON", error_frame("invalid_message", str(error))) from error
        except Misformed as error:
            raise Closed(_POLICY, "not a message", error_frame("invalid_message", str(error))) from error

    def _end(self, member: Member, code: int, reason: str) -> None:
        """Close from our side: nothing more is told, and the peer learns why. The reading side then ends by itself."""
        if member in self._hub.members:
            self._hub.leave(member)
            member.mailbox.close()
            last = restart_frame(self._hub.pause()) if code == SERVICE_RESTART else None
            task = asyncio.create_task(self._close(code, reason, last))
            self._hub.closing.add(task)
            task.add_done_callback(self._hub.closing.discard)

    def _note(self, theirs: int | None) -> None:
        """Note that the peer left, unless we had ended it before."""
        if not self._is_over:
            self._is_over = True
            self._hub.notes.left(theirs, self._entrant)

    async def _close(self, code: int, reason: str, last: str | None) -> None:
        """Send the last frame and the close frame, to a peer that may not be reading."""
        if not self._is_over:
            self._is_over = True
            self._hub.notes.closed(code, reason, self._entrant)
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                if last is not None:
                    await self._socket.send_text(last)
                await self._socket.close(code, reason)
        except Exception as error:  # noqa: BLE001 - each server says "the peer is gone" in its own way
            log.debug("peer left before it was told", error=type(error).__name__)
