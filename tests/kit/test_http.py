"""Addresses that users typed: where the client goes, and where it never does."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from zena.kit.errors import Invalid
from zena.kit.http import FetchFailed, HttpPolicy, SafeHttp, check_url

REFUSED_URLS = [
    "http://127.0.0.1/", "http://127.0.0.1:8000/", "http://127.1/", "http://127.0.1/", "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/", "http://0x7f000001/", "http://017700000001/", "http://127.0.0.1./", "http://①②⑦.⓪.⓪.①/",
    "http://0/",
    "http://0.0.0.0/", "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/", "http://[fec0::1]/", "http://[ff02::1]/", "http://[2001:db8::1]/", "http://[100::1]/",
    "http://10.0.0.1/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/", "http://100.64.0.1/", "http://100.100.100.200/", "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.18.0.1/", "http://198.51.100.1/", "http://203.0.113.1/", "http://224.0.0.1/", "http://239.255.255.250/",
    "http://240.0.0.1/", "http://255.255.255.255/", "http://168.63.129.16/", "http://192.88.99.1/",
    "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "javascript:alert(1)", "//example.com/",
    "example.com",
    "http://user@example.com/", "http://user:pw@example.com/", "http://example.com@127.0.0.1/",
    "http://127.0.0.1#@example.com/",
    "http://example.com:22/", "http://example.com:25/", "http://example.com:6379/", "http://example.com:0/",
    "http://example.com:99999/",
    "http://exa mple.com/", "http://example.com\\@127.0.0.1/", "http://example.com\r\nHost: x/",
    "http://example.com/\x00", "http:///",
    "http://", "http://exämple.com/", "http://\u0435xample.com/", "http://example.com:80:80/", "http://[::1", "http://[]/",
    "http://.../",
    "http://-/\u2028", "https://" + "a" * 3000 + ".com/",
]  # fmt: skip


def test_there_are_sixty_targets_and_more() -> None:
    assert len(set(REFUSED_URLS)) >= 60


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_O01_urls_that_are_refused_when_they_are_entered(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url, HttpPolicy(), "target_url")
    assert refused.value.error_code == "DESTINATION_NOT_ALLOWED"
    assert refused.value.fields[0].path == "target_url"
    assert refused.value.detail == "target_url: This destination is not allowed."


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://example.com/hook?a=1", "example.com", 443, "example.com"),
        ("http://EXAMPLE.com:8080", "example.com", 8080, "example.com:8080"),
        ("https://93.184.216.34/", "93.184.216.34", 443, "93.184.216.34"),
        ("https://[2606:2800:220:1::1]:8443/x", "2606:2800:220:1::1", 8443, "[2606:2800:220:1::1]:8443"),
        ("https://xn--exmple-cua.com/", "xn--exmple-cua.com", 443, "xn--exmple-cua.com"),
        ("https://hooks_1.example.com/", "hooks_1.example.com", 443, "hooks_1.example.com"),
    ],
)
def test_O01_urls_that_are_fine(url: str, host: str, port: int, authority: str) -> None:
    found = check_url(url, HttpPolicy())
    assert (found.host, found.port, found.authority) == (host, port, authority)


def test_https_can_be_demanded() -> None:
    with pytest.raises(Invalid):
        check_url("http://example.com/", HttpPolicy(https_only=True))


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]] | bytes


class Listener:
    """A server on loopback that counts who reached it."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.hits, self.requests, self.port = answer, 0, list[bytes](), 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(self.answer, bytes):
                writer.write(self.answer)
                await writer.drain()
            else:
                await self.answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(answer: Answer = b"", tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    listener = Listener(answer)
    server = await asyncio.start_server(listener.handle, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()


def open_to_loopback(port: int, *, seconds: float = 5.0) -> HttpPolicy:
    return HttpPolicy(ports=frozenset({port}), allowed_networks=(ip_network("127.0.0.0/8"),), seconds=seconds)


def resolving(*answers: list[str]) -> tuple[Callable[[str, int], Awaitable[list[str]]], list[str]]:
    """A resolver that gives another answer each time it is asked, the last one for ever."""
    asked: list[str] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolver, asked


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"],
        ["10.0.0.5"],
        ["169.254.169.254"], ["0.0.0.1"], ["fe80::1%lo"], ["64:ff9b::7f00:1"], [],
    ],
)  # fmt: skip
async def test_O01_a_name_that_leads_inside_is_never_dialled(addresses: list[str]) -> None:
    async with listening(OK) as listener:
        resolver, asked = resolving(addresses)
        client = SafeHttp(HttpPolicy(ports=frozenset({listener.port}), seconds=3), resolver=resolver)
        with pytest.raises(FetchFailed) as failed:
            await client.send("POST", f"http://hook.example:{listener.port}/", content=b"x")
        assert (failed.value.reason, asked, listener.hits) == ("refused", ["hook.example"], 0)


async def test_O01_a_resolver_that_flips_is_asked_once_per_connection() -> None:
    async with listening(OK) as listener:
        resolver, asked = resolving(["192.0.2.1"], ["127.0.0.1"])
        policy = HttpPolicy(
            ports=frozenset({listener.port}), seconds=0.5, allowed_networks=(ip_network("192.0.2.0/24"),)
        )
        client = SafeHttp(policy, resolver=resolver)
        with pytest.raises(FetchFailed):
            await client.send("GET", f"http://hook.example:{listener.port}/")
        assert (asked, listener.hits) == (["hook.example"], 0)
        with pytest.raises(FetchFailed) as failed:
            await client.send("GET", f"http://hook.example:{listener.port}/")
        assert (failed.value.reason, listener.hits) == ("refused", 0)


@pytest.mark.parametrize("url", [url for url in REFUSED_URLS if url.isascii()][:55])
async def test_O01_refused_urls_are_refused_by_the_client_too(url: str) -> None:
    with pytest.raises(Invalid):
        await SafeHttp().send("GET", url)


async def test_a_request_arrives_as_it_was_meant() -> None:
    async with listening(OK) as listener:
        resolver, _ = resolving(["127.0.0.1"])
        client = SafeHttp(open_to_loopback(listener.port), resolver=resolver)
        reply = await client.send(
            "POST",
            f"http://hook.example:{listener.port}/in?x=1",
            headers={"Content-Type": "application/json", "Host": "evil", "X-Id": "7"},
            content=b"{}",
        )
        assert (reply.status, reply.body, reply.truncated) == (200, b"ok", False)
        head = listener.requests[0].decode().lower()
        assert head.startswith("post /in?x=1 http/1.1\r\n")
        assert f"host: hook.example:{listener.port}\r\n" in head
        assert "accept-encoding: identity" in head
        assert head.count("host:") == 1
        assert "x-id: 7" in head


async def test_O01_redirects_are_told_and_not_followed() -> None:
    async with listening() as inner:
        redirect = (
            f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n".encode()
        )
        async with listening(redirect) as outer:
            client = SafeHttp(open_to_loopback(outer.port))
            reply = await client.send("GET", f"http://127.0.0.1:{outer.port}/")
            assert (reply.status, inner.hits) == (302, 0)


async def test_O01_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(OK) as proxy, listening(OK) as target:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await SafeHttp(open_to_loopback(target.port)).send("GET", f"http://127.0.0.1:{target.port}/")
        assert (proxy.hits, target.hits) == (0, 1)


async def test_O03_only_the_beginning_of_a_huge_answer_is_read() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with listening(endless) as listener:
        reply = await SafeHttp(open_to_loopback(listener.port)).send("GET", f"http://127.0.0.1:{listener.port}/")
        assert (len(reply.body), reply.truncated) == (65_536, True)


async def test_O03_nothing_is_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with listening(head + bomb) as listener:
        reply = await SafeHttp(open_to_loopback(listener.port)).send("GET", f"http://127.0.0.1:{listener.port}/")
        assert reply.body == bomb[:65_536]


async def test_a_header_that_comes_twice_is_a_list() -> None:
    answer = b"HTTP/1.1 200 OK\r\nVary: a\r\nContent-Length: 0\r\nvary: b\r\n\r\n"
    async with listening(answer) as listener:
        reply = await SafeHttp(open_to_loopback(listener.port)).send("GET", f"http://127.0.0.1:{listener.port}/")
    assert reply.headers == {"vary": "a, b", "content-length": "0"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "protocol"),
        (b"junk\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000 + b"\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "protocol"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "protocol"),
    ],
)
async def test_O03_answers_that_are_no_answers(answer: bytes, reason: str) -> None:
    async with listening(answer) as listener:
        with pytest.raises(FetchFailed) as failed:
            await SafeHttp(open_to_loopback(listener.port)).send("GET", f"http://127.0.0.1:{listener.port}/")
        assert failed.value.reason == reason


async def test_O03_a_tarpit_ends_in_time() -> None:
    async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with listening(drop_by_drop) as listener:
        began = asyncio.get_running_loop().time()
        with pytest.raises(FetchFailed) as failed:
            await SafeHttp(open_to_loopback(listener.port, seconds=0.6)).send(
                "GET", f"http://127.0.0.1:{listener.port}/"
            )
        assert failed.value.reason == "timeout"
        assert asyncio.get_running_loop().time() - began < 2


async def test_nobody_there_and_no_such_name() -> None:
    async with listening() as listener:
        port = listener.port
    with pytest.raises(FetchFailed) as failed:
        await SafeHttp(open_to_loopback(port)).send("GET", f"http://127.0.0.1:{port}/")
    assert failed.value.reason == "connect"

    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(FetchFailed) as failed:
        await SafeHttp(resolver=unknown).send("GET", "http://nobody.invalid/")
    assert failed.value.reason == "dns"


def certificate(name: str, folder: Path) -> Path:
    """A self-signed certificate for one name, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(signed.public_bytes(pem) + secret)
    return path


async def test_O01_tls_checks_the_name_though_the_address_is_dialled(tmp_path: Path) -> None:
    pem = certificate("hook.example", tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)
    trusting = ssl.create_default_context(cafile=str(pem))
    async with listening(OK, server_side) as listener:
        policy = open_to_loopback(listener.port)
        resolver, _ = resolving(["127.0.0.1"])
        client = SafeHttp(policy, resolver=resolver, tls=trusting)
        assert (await client.send("GET", f"https://hook.example:{listener.port}/")).status == 200
        for wrong in (client, SafeHttp(policy, resolver=resolver)):
            host = "other.example" if wrong is client else "hook.example"
            with pytest.raises(FetchFailed) as failed:
                await wrong.send("GET", f"https://{host}:{listener.port}/")
            assert failed.value.reason == "tls"
        assert listener.hits == 1
