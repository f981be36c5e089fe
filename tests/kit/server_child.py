"""A small application behind our HTTP server, with short patience: server_child.py FD READY_FD."""

import asyncio
import sys
from typing import Any

from zena.kit.serving import protocol
from zena.kit.serving.lifeline import tell_ready
from zena.kit.serving.listen import adopt
from zena.kit.serving.server import serve

protocol.HEAD_TIMEOUT = 0.6
protocol.BODY_TIMEOUT = 0.6


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        await answer(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": str(len(message.get("text") or ""))})


async def answer(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    body = f"{scope['method']} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


ready = int(sys.argv[2])
serve(app, adopt(int(sys.argv[1])), on_ready=lambda: tell_ready(ready))
