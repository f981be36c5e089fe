"""What is on its way to one listener: bounded, so that a slow reader costs itself and nobody else."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from zena.kit.realtime.eager import start
from zena.kit.realtime.limits import Limits

Send = Callable[[str], Awaitable[None]]


class Mailbox:
    """Frames in order. A task that sends them exists only while there are any: idle listeners cost no task."""

    __slots__ = ("_closed", "_draining", "_frames", "_limits", "_overflow", "_pump", "_room", "_send", "_size")

    def __init__(self, send: Send, overflow: Callable[[], None], limits: Limits) -> None:
        self._send = send
        self._overflow = overflow
        self._limits = limits
        self._frames: deque[str] = deque()
        self._size = 0
        self._pump: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._closed = False
        self._draining = False

    def post(self, frame: str) -> None:
        """Queue a frame; when there is no room for it the listener is given up."""
        if self._closed:
            return
        self._frames.append(frame)
        self._size += len(frame)
        if len(self._frames) > self._limits.mailbox_frames or self._size > self._limits.mailbox_bytes:
            self.close()
            self._overflow()
        elif not self._draining:
            self._pump = start(self._drain())

    @property
    def waiting(self) -> int:
        """Frames that the reader has not taken yet."""
        return len(self._frames)

    @property
    def is_crowded(self) -> bool:
        """Whether it is more than half full."""
        return len(self._frames) > self._limits.mailbox_frames // 2 or self._size > self._limits.mailbox_bytes // 2

    async def room(self) -> None:
        """Wait until it is not crowded, so that a replay does not overrun a reader that keeps up."""
        while not self._closed and self.is_crowded:
            self._room = self._room or asyncio.Event()
            await self._room.wait()
            self._room = None

    def close(self) -> None:
        """Forget what was not sent and send no more."""
        self._closed = True
        self._frames.clear()
        if self._pump is not None:
            self._pump.cancel()
        self._tell_room()

    async def _drain(self) -> None:
        self._draining = True
        try:
            while self._frames:
                frame = self._frames.popleft()
                self._size -= len(frame)
                await self._send(frame)
                if self._room is not None and not self.is_crowded:
                    self._tell_room()
        except Exception:  # noqa: BLE001 - each server says "the peer is gone" in its own way; the reader learns it too
            self._closed = True
            self._tell_room()
        finally:
            self._draining = False
            self._pump = None

    def _tell_room(self) -> None:
        if self._room is not None:
            self._room.set()
