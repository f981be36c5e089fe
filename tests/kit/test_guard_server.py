"""The guard behind the server that carries it: bytes on a real socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
import websockets
from websockets.typing import Origin

from tests.kit.calls import Echo
from zena.kit.guard import Guard, GuardRules


class Routes(Echo):
    """Echoes; sends everybody away from /private without reading; accepts sockets."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return
        private = scope["path"] == "/api/private"
        await Echo(read_body=not private, status=401 if private else 200)(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    found = listener.getsockname()[1]
    guard = Guard(Routes(), GuardRules(public_url=f"http://localhost:{found}"))
    config = uvicorn.Config(
        guard,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - the server tells it only so
        await asyncio.sleep(0.01)
    yield found
    server.should_exit = True
    await task


async def talk(port: int, sent: bytes, then: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send raw bytes and read one answer; `then` is what a client would send after a 100 Continue."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"HTTP/1.1 100"):
                writer.write(then)
                head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body
    finally:
        writer.close()


def head(first: str, *lines: str) -> bytes:
    return "\r\n".join([first, "Host: localhost", *lines, "", ""]).encode("latin-1")


async def test_answers_carry_a_date_and_no_name(port: int) -> None:
    status, headers, _ = await talk(port, head("GET /api/x HTTP/1.1"))
    assert status == 200
    assert "date" in headers
    assert "server" not in headers


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET /a%00b HTTP/1.1", 400),
        ("GET /a%ff HTTP/1.1", 400),
        ("GET /a\xffb HTTP/1.1", 400),
        ("GET /../etc/passwd HTTP/1.1", 400),
        ("GET /" + "a" * 9000 + " HTTP/1.1", 414),
        ("TRACE /api/x HTTP/1.1", 405),
    ],
)
async def test_H02_raw_targets(port: int, first: str, status: int) -> None:
    assert (await talk(port, head(first)))[0] == status


async def test_H06_the_answer_to_a_huge_upload_comes_after_its_headers(port: int) -> None:
    sent = head("POST /api/private HTTP/1.1", "Content-Type: application/json", "Content-Length: 100000000")
    status, headers, _ = await talk(port, sent)
    assert (status, headers["connection"]) == (401, "close")


async def test_H06_nobody_is_asked_to_go_on_who_may_not(port: int) -> None:
    lines = ("Content-Type: application/json", "Content-Length: 5", "Expect: 100-continue")
    assert (await talk(port, head("POST /api/private HTTP/1.1", *lines)))[0] == 401
    assert (await talk(port, head("POST /api/x HTTP/1.1", *lines), b"[1,2]"))[0] == 200


async def test_H06_counted_while_streaming(port: int) -> None:
    sent = head("POST /api/x HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b"1" * 65_536 + b"\r\n"
    status, _, body = await talk(port, sent + chunk * 17 + b"0\r\n\r\n")
    assert (status, json.loads(body)["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_H07_smuggling(port: int) -> None:
    sent = head(
        "POST /api/x HTTP/1.1", "Content-Type: application/json", "Content-Length: 4", "Transfer-Encoding: chunked"
    )
    assert (await talk(port, sent + b"0\r\n\r\nGET /api/evil HTTP/1.1\r\n\r\n"))[0] == 400
    double = head("POST /api/x HTTP/1.1", "Content-Type: application/json", "Content-Length: 4", "Content-Length: 5")
    assert (await talk(port, double + b"[1]  "))[0] == 400


@pytest.mark.parametrize(
    ("origin", "opened"), [("ours", True), ("https://evil.test", False), (None, False), ("null", False)]
)
async def test_G01_a_foreign_page_gets_403_before_the_socket_opens(port: int, origin: str | None, opened: bool) -> None:
    given = Origin(f"http://localhost:{port}" if origin == "ours" else origin) if origin else None
    headers = {"Cookie": "zena_plain=x"}
    if opened:
        async with websockets.connect(f"ws://localhost:{port}/ws", origin=given, additional_headers=headers) as ws:
            await ws.wait_closed()
        return
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://localhost:{port}/ws", origin=given, additional_headers=headers)
    assert refused.value.response.status_code == 403
