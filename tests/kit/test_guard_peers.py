"""Host names, proxies, cross-site requests, sockets and the headers of every answer."""

import re

import pytest

from tests.kit.calls import Echo, call, open_socket
from zena.kit.guard import Guard, GuardRules
from zena.kit.telemetry import Telemetry
from zena.kit.visit import Visit, visit_of

HTTPS = GuardRules(public_url="https://zena.test", websocket_url="wss://live.zena.test:8443")
LOCAL = GuardRules(public_url="http://localhost:8000")
PROXIED = GuardRules(public_url="https://zena.test", trusted_proxies=("10.0.0.0/8", "unix"))
COOKIE = ("cookie", "other=1; __Host-zena=abc")
HERE, THERE = ("127.0.0.1", 9), ("203.0.113.9", 9)


async def visit_by(
    rules: GuardRules, client: tuple[str, int] | None, *headers: tuple[str, str], host: str
) -> Visit | None:
    echo = Echo()
    await call(Guard(echo, rules), "GET", "/x", headers=headers, client=client, host=host)
    return visit_of(echo.seen[0]) if echo.seen else None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("zena.test", 200), ("ZENA.test", 200), ("zena.test:443", 200), ("live.zena.test:8443", 200),
        ("evil.test", 400), ("zena.test.evil.test", 400), ("evil.test#zena.test", 400), ("a@zena.test", 400),
        ("zena.test:80:80", 400), ("zena.test.", 400), ("zena.test,evil.test", 400), ("", 400), ("localhost", 400),
        ("zena.test evil", 400), ("zena.test:x", 400), ("[::1]", 400), ("xzena.test", 400), ("zena.test/", 400),
    ],
)  # fmt: skip
async def test_C04_host_names(host: str, status: int) -> None:
    assert (await call(Guard(Echo(), HTTPS), "GET", "/x", headers=[("host", host)])).status == status


async def test_C04_no_host_and_a_forwarded_one() -> None:
    forwarded = [("x-forwarded-host", "zena.test"), ("forwarded", "host=zena.test")]
    assert (await call(Guard(Echo(), HTTPS), "GET", "/x", headers=forwarded, host=None)).status == 400
    assert (
        await call(Guard(Echo(), PROXIED), "GET", "/x", headers=forwarded, host=None, client=("10.0.0.1", 1))
    ).status == 400


async def test_loopback_names_are_for_this_machine() -> None:
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert (await call(Guard(Echo(), HTTPS), "GET", "/x", host=host, client=HERE)).status == 200
        assert (await call(Guard(Echo(), HTTPS), "GET", "/x", host=host, client=THERE)).status == 400


@pytest.mark.parametrize(
    ("client", "host", "headers", "local"),
    [
        (HERE, "localhost:8000", [], True),
        (("::1", 1), "localhost", [], True),
        (("::ffff:127.0.0.1", 1), "localhost", [], True),
        (HERE, "127.0.0.1", [], False),
        (HERE, "localhost", [("x-forwarded-for", "203.0.113.1")], False),
        (HERE, "localhost", [("forwarded", "for=1.2.3.4")], False),
        (HERE, "localhost", [("via", "1.1 proxy")], False),
        (THERE, "localhost", [], False),
    ],
)
async def test_J09_local_means_this_machine_without_a_proxy(
    client: tuple[str, int], host: str, headers: list[tuple[str, str]], local: bool
) -> None:
    visit = await visit_by(LOCAL, client, *headers, host=host)
    assert visit is not None
    assert visit.local is local


async def test_C09_forwarding_headers_of_strangers_are_dropped() -> None:
    echo = Echo()
    claims = [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "https"), ("x-real-ip", "1.1.1.1")]
    await call(Guard(echo, PROXIED), "GET", "/x", headers=[*claims, ("x-request-id", "chosen-by-client")])
    scope = echo.seen[0]
    assert (visit_of(scope).client, visit_of(scope).scheme, scope["scheme"]) == ("203.0.113.9", "http", "http")
    assert not {name for name, _ in scope["headers"]} & {b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"}
    assert visit_of(scope).request_id != "chosen-by-client"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("1.2.3.4, 198.51.100.7", "198.51.100.7"),
        ("1.2.3.4, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("198.51.100.7:5555", "198.51.100.7"),
        ("[2001:db8::7]:5555", "2001:db8::7"),
        ("junk", "10.0.0.1"),
        ("1.2.3.4, junk", "10.0.0.1"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
    ],
)
async def test_C08_the_nearest_hop_we_do_not_trust_is_the_client(forwarded: str, client: str) -> None:
    headers = [("x-forwarded-for", forwarded), ("x-forwarded-proto", "http, https")]
    visit = await visit_by(PROXIED, ("10.0.0.1", 1), *headers, host="zena.test")
    assert visit is not None
    assert (visit.client, visit.scheme, visit.local) == (client, "https", False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abcdef12-3456", True), ("a b", False), ("x" * 65, False), ("short", False), ('"x"y"z"', False)],
)
async def test_request_ids_of_trusted_proxies(given: str, kept: bool) -> None:
    for client in (("10.0.0.1", 1), None):
        visit = await visit_by(PROXIED, client, ("x-request-id", given), host="zena.test")
        assert visit is not None
        assert (visit.request_id == given) is kept


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("sec-fetch-site", "same-origin")], 200),
        ([("sec-fetch-site", "none")], 200),
        ([("sec-fetch-site", "same-site")], 403),
        ([("sec-fetch-site", "cross-site")], 403),
        ([("sec-fetch-site", "cross-site"), ("origin", "https://zena.test")], 403),
        ([("origin", "https://zena.test")], 200),
        ([("origin", "HTTPS://ZENA.TEST")], 200),
        ([("origin", "http://zena.test")], 403),
        ([("origin", "https://zena.test:444")], 403),
        ([("origin", "https://evil.test")], 403),
        ([("origin", "https://zena.test.evil.test")], 403),
        ([("origin", "null")], 403),
        ([], 403),
    ],
)
@pytest.mark.parametrize("path", ["/projects", "/api/v1/projects"])
async def test_D01_unsafe_requests_with_a_session(headers: list[tuple[str, str]], status: int, path: str) -> None:
    echo = Echo()
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await call(Guard(echo, HTTPS), method, path, headers=[COOKIE, *headers])).status == status
    assert len(echo.seen) == (4 if status == 200 else 0)


async def test_D01_without_a_session_only_proof_of_another_site_refuses() -> None:
    guard = Guard(Echo(), HTTPS)
    assert (await call(guard, "POST", "/sign-in")).status == 200
    assert (await call(guard, "POST", "/sign-in", headers=[("sec-fetch-site", "cross-site")])).status == 403
    assert (await call(guard, "POST", "/sign-in", headers=[("origin", "https://evil.test")])).status == 403


async def test_D01_reading_and_bearer_tokens_are_not_cross_site_requests() -> None:
    guard = Guard(Echo(), HTTPS)
    assert (await call(guard, "GET", "/x", headers=[COOKIE, ("sec-fetch-site", "cross-site")])).status == 200
    bearer = [COOKIE, ("authorization", "Bearer x"), ("origin", "https://evil.test")]
    assert (await call(guard, "POST", "/api/v1/x", headers=bearer)).status == 200
    basic = [COOKIE, ("authorization", "Basic eDp5")]
    assert (await call(guard, "POST", "/api/v1/x", headers=basic)).status == 403


async def test_D01_the_plain_cookie_counts_too_and_loopback_has_three_names() -> None:
    guard = Guard(Echo(), LOCAL)
    for origin, status in (("http://localhost:8000", 200), ("http://127.0.0.1:8000", 200), ("http://localhost:9", 403)):
        headers = [("cookie", "zena_plain=x"), ("origin", origin)]
        assert (await call(guard, "POST", "/x", headers=headers, host="localhost:8000", client=HERE)).status == status


@pytest.mark.parametrize(
    ("headers", "opened"),
    [
        ([("origin", "https://zena.test")], True),
        ([("origin", "https://live.zena.test:8443")], True),
        ([("authorization", "Bearer x")], True),
        ([], False),
        ([("cookie", "__Host-zena=x")], False),
        ([("origin", "null")], False),
        ([("origin", "https://evil.test")], False),
        ([("origin", "https://zena.test.evil.test")], False),
        ([("origin", "https://evilzena.test")], False),
        ([("origin", "http://zena.test")], False),
        ([("origin", "https://evil.test"), ("authorization", "Bearer x")], False),
        ([("origin", "https://zena.test"), ("host", "evil.test")], False),
        ([("origin", "https://zena.test"), ("origin", "https://evil.test")], False),
    ],
)
async def test_G01_sockets(headers: list[tuple[str, str]], opened: bool) -> None:
    accepted = []

    async def app(scope: object, receive: object, send: object) -> None:
        accepted.append(scope)

    sent = await open_socket(Guard(app, HTTPS), headers)
    assert bool(accepted) is opened
    assert [message["type"] for message in sent] == ([] if opened else ["websocket.close"])


FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "vary": "Cookie",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}


@pytest.mark.parametrize(("target", "status"), [("/x", 200), ("/x%00", 400), ("/api/x%00", 400), ("/static/x%00", 400)])
async def test_D06_every_answer_carries_the_headers(target: str, status: int) -> None:
    answer = await call(Guard(Echo(), HTTPS), "GET", target)
    assert answer.status == status
    assert FIXED.items() <= answer.headers.items()
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "camera=()" in answer.headers["permissions-policy"]


async def test_hsts_only_where_the_address_is_https() -> None:
    answer = await call(Guard(Echo(), LOCAL), "GET", "/x", host="localhost", client=HERE)
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        ("/x", [("cache-control", "public, max-age=60"), ("vary", "Accept")], ("no-store", "Accept, Cookie")),
        ("/x", [("cache-control", "private"), ("vary", "Cookie, HX-Request")], ("private", "Cookie, HX-Request")),
        ("/static/a.js", [("cache-control", "public, max-age=9, immutable")], ("public, max-age=9, immutable", None)),
        ("/static/a.js", [], ("no-cache", None)),
    ],
)  # fmt: skip
async def test_D05_caching(path: str, given: list[tuple[str, str]], expected: tuple[str, str | None]) -> None:
    answer = await call(Guard(Echo(headers=given), HTTPS), "GET", path)
    assert (answer.headers["cache-control"], answer.headers.get("vary")) == expected


async def test_D05_an_error_under_static_is_not_cached() -> None:
    missing = Echo(status=404, headers=[("cache-control", "public, max-age=9")])
    assert (await call(Guard(missing, HTTPS), "GET", "/static/gone.js")).headers["cache-control"] == "no-store"


async def test_D04_scripts_run_only_with_the_nonce_of_their_answer() -> None:
    nonces = []

    async def page(scope: dict[str, object], _: object, send: object) -> None:
        nonces.append(visit_of(scope).nonce)
        await Echo(read_body=False, headers=[("content-type", "text/html")])(scope, None, send)

    answers = [await call(Guard(page, HTTPS), "GET", "/x") for _ in range(2)]
    for nonce, answer in zip(nonces, answers, strict=True):
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["script-src"] == f"'nonce-{nonce}'"
        assert policy["default-src"] == policy["base-uri"] == policy["script-src-attr"] == "'none'"
        assert policy["connect-src"] == "'self' wss://live.zena.test:8443 wss://zena.test"
        assert policy["form-action"] == "'self'"
    assert nonces[0] != nonces[1]
    assert re.fullmatch(r"[\w-]{22}", nonces[0])


async def test_E03_what_is_no_page_is_sandboxed_and_a_page_without_scripts_gets_none() -> None:
    for kind in ("application/json", "image/svg+xml", "application/pdf", ""):
        policy = (await call(Guard(Echo(headers=[("content-type", kind)]), HTTPS), "GET", "/x")).headers
        assert policy["content-security-policy"].endswith("sandbox")
    plain = await call(Guard(Echo(headers=[("content-type", "text/html")]), HTTPS), "GET", "/x")
    assert "script-src 'none'" in plain.headers["content-security-policy"]


async def test_J09_nothing_names_the_software() -> None:
    named = Echo(headers=[("Server", "uvicorn"), ("X-Powered-By", "x"), ("content-type", "text/plain")])
    answer = await call(Guard(named, HTTPS), "GET", "/x")
    assert not {"server", "x-powered-by"} & answer.headers.keys()


async def test_the_measurement_of_each_request_and_of_a_broken_listener() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    telemetry, seen = Telemetry(), []
    telemetry.on_request.append(lambda *facts: seen.append(facts[1:3]))
    telemetry.on_request.append(broken)
    await call(Guard(Echo(), HTTPS, telemetry), "GET", "/x")
    await call(Guard(Echo(), HTTPS, telemetry), "TRACE", "/x")
    assert seen == [("GET", 200), ("TRACE", 405)]
    assert telemetry.failures == 2
