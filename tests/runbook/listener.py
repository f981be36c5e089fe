"""Somebody who listens to one channel for as long as a block lasts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.runbook.live import Live


@contextmanager
def listening(live: Live, url: str, channel: str, answer: str = "subscription") -> Iterator[ClientConnection]:
    with connect(url, origin=Origin(live.url), proxy=None) as socket:
        _hear(socket, "connection")
        _say(socket, "authenticate", token=live.token)
        _hear(socket, "authentication")
        _say(socket, "subscribe", channel=channel)
        _hear(socket, answer)
        yield socket


def _say(socket: ClientConnection, op: str, **members: Any) -> None:
    socket.send(json.dumps({"op": op, **members}))


def _hear(socket: ClientConnection, op: str) -> None:
    told = json.loads(socket.recv(timeout=10))
    assert told["op"] == op, told
