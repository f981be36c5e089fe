"""The wire: a bound socket handed down, limits on heads and silences, draining without a lost request."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets

from zena.kit.serving.listen import ListenError, bind, port_of

CHILD = Path(__file__).with_name("server_child.py")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@contextmanager
def served(listener: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
    ours, theirs = os.pipe()
    command = [sys.executable, str(CHILD), str(listener.fileno()), str(theirs)]
    process = subprocess.Popen(command, pass_fds=(listener.fileno(), theirs))
    os.close(theirs)
    assert os.read(ours, 1) == b"\n"
    os.close(ours)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as made:
        yield made


@pytest.fixture(scope="module")
def port(listener: socket.socket) -> Iterator[int]:
    with served(listener):
        yield port_of(listener)


def speak(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send bytes and return everything that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(pause)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """Return everything until the other side closes."""
    answer = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return answer
        if not chunk:
            return answer
        answer += chunk


def test_a_plain_request(port: int) -> None:
    assert speak(port, GET + b"Connection: close\r\n\r\n").endswith(b"GET 0")
    two = GET + b"\r\n" + GET + b"Connection: close\r\n\r\n"
    assert speak(port, two).count(b"GET 0") == 2
    assert b"server:" not in speak(port, GET + b"Connection: close\r\n\r\n").lower()


def test_H07_an_endless_address(port: int) -> None:
    assert speak(port, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 414")


@pytest.mark.parametrize("head", [b"X: " + b"a" * 17_000 + b"\r\n", b"".join(b"X-%d: y\r\n" % n for n in range(4000))])
def test_H07_too_much_head(port: int, head: bytes) -> None:
    assert speak(port, GET + head + b"\r\n").startswith(b"HTTP/1.1 431")


def test_H07_a_header_line_that_never_ends(port: int) -> None:
    assert speak(port, GET + b"X: ", *[b"a" * 10_000] * 20, pause=0.005).startswith(b"HTTP/1.1 431")


def test_H07_a_head_that_dawdles(port: int) -> None:
    started = time.monotonic()
    assert speak(port, *[b"G", b"E", b"T", b" ", b"/"] * 3, pause=0.1) == b""
    assert time.monotonic() - started < 4


def test_H07_a_connection_that_says_nothing(port: int) -> None:
    started = time.monotonic()
    assert speak(port) == b""
    assert time.monotonic() - started < 3


def test_H07_a_body_that_stops(port: int) -> None:
    started = time.monotonic()
    assert speak(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc") == b""
    assert time.monotonic() - started < 3


def test_a_body_whose_last_piece_is_larger_than_any_head_is_taken(port: int) -> None:
    body = b"x" * 900_000
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert speak(port, head, body, pause=0.2).startswith(b"HTTP/1.1 200")
    assert speak(port, head + body).startswith(b"HTTP/1.1 200")


def test_a_slow_but_steady_body_is_taken(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
    assert speak(port, head, *[b"a"] * 10, pause=0.2).endswith(b"POST 10")


def test_a_slow_answer_is_nobodys_fault(port: int) -> None:
    assert speak(port, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"GET 0")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length: -1\r\n",
        b"Bad\x00Name: x\r\n",
    ],
)
def test_H07_smuggling_is_refused(port: int, head: bytes) -> None:
    answer = speak(
        port, b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_G04_frames_have_a_limit_and_no_deflate(port: int) -> None:
    async def talk() -> tuple[str, int | None]:
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as live:
            assert live.protocol.extensions == []
            await live.send("a" * 65_536)
            answer = await live.recv()
            await live.send("a" * 65_537)
            await live.wait_closed()
            return str(answer), live.close_code

    assert asyncio.run(talk()) == ("65536", 1009)


def test_F26_a_drained_server_answers_what_it_took_and_loses_nothing() -> None:
    with bind("127.0.0.1", 0) as own:
        port = port_of(own)
        with served(own) as first, socket.create_connection(("127.0.0.1", port), timeout=10) as waiting:
            waiting.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            first.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with socket.create_connection(("127.0.0.1", port), timeout=10) as early:
                early.sendall(GET + b"Connection: close\r\n\r\n")
                assert rest(waiting).endswith(b"GET 0")
                assert first.wait(10) == 0
                with served(own):
                    assert rest(early).endswith(b"GET 0")


def test_F01_a_killed_server_refuses_nobody() -> None:
    with bind("127.0.0.1", 0) as own:
        port = port_of(own)
        for _ in range(3):
            with served(own) as process:
                assert speak(port, GET + b"Connection: close\r\n\r\n").endswith(b"GET 0")
                process.kill()
                process.wait()
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    pass


def test_a_taken_port_and_a_foreign_address() -> None:
    with bind("127.0.0.1", 0) as own:
        with pytest.raises(ListenError, match=f"port {port_of(own)} is taken.*ZENA_PORT"):
            bind("127.0.0.1", port_of(own))
        with pytest.raises(ListenError, match="is taken"):
            bind("0.0.0.0", port_of(own))  # noqa: S104 - refused, which is the point
    with pytest.raises(ListenError, match="ZENA_HOST"):
        bind("192.0.2.1", 0)
    with pytest.raises(ListenError, match="ZENA_HOST"):
        bind("no.such.host.invalid", 0)
