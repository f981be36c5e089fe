"""What the guard refuses before anything is decoded, and what it lets through."""

import asyncio
from typing import Any

import pytest

from tests.kit.calls import Answer, Echo, call
from zena.kit.guard import Guard, GuardRules, UploadPath
from zena.kit.visit import visit_of

RULES = GuardRules(
    public_url="https://zena.test",
    uploads=(UploadPath("/api/v1/app/projects/*/imports", 5_000_000, ("multipart/form-data", "text/csv")),),
    chunk_seconds=0.05,
)
JSON = ("content-type", "application/json")
BEARER = ("authorization", "Bearer zt_example")


def guarded(app: Any = None, rules: GuardRules = RULES) -> Guard:
    return Guard(app or Echo(), rules)


async def post_json(body: bytes, *extra: tuple[str, str]) -> Answer:
    return await call(guarded(), "POST", "/api/v1/x", headers=[JSON, BEARER, *extra], chunks=[body])


async def test_a_plain_request_passes_and_gets_an_id() -> None:
    answer = await call(guarded(), "GET", "/api/v1/app/tasks?limit=5&q=b%C3%AA")
    assert answer.status == 200
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/" + "a" * 8_200, 414),
        ("/a?q=" + "a" * 8_200, 414),
        ("/a%zz", 400),
        ("/a%", 400),
        ("/a%ff", 400),
        ("/a%c0%af", 400),
        ("/a%ed%a0%80", 400),
        ("/a%00", 400),
        ("/a%0d%0aSet-Cookie:x", 400),
        ("/a%5cb", 400),
        ("/a%2Fb", 400),
        ("/static/../x", 400),
        ("/static/%2e%2e/x", 400),
        ("/./x", 400),
        ("/a?q=%ff", 400),
        ("/a?q=%00", 400),
        ("/a?q=%", 400),
        ("/a?q=\xe9", 400),
        ("/a?q=%E1%BA%BFch&x=%0a", 200),
        ("/.well-known/security.txt", 200),
        ("/a.b/..c", 200),
        ("/nguy%E1%BB%85n", 200),
    ],
)
async def test_H02_addresses_that_do_not_decode(target: str, status: int) -> None:
    assert (await call(guarded(), "GET", target)).status == status


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "PROPFIND", "get", "FOO"])
async def test_B08_methods_nobody_offers(method: str) -> None:
    answer = await call(guarded(), method, "/api/v1/x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
    assert answer.code == "METHOD_NOT_ALLOWED"


async def test_method_override_never_reaches_the_application() -> None:
    echo = Echo()
    await call(guarded(echo), "GET", "/x", headers=[("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/admin")])
    assert echo.seen[0]["method"] == "GET"
    assert [name for name, _ in echo.seen[0]["headers"]] == [b"host"]


async def test_H07_header_flood() -> None:
    assert (await call(guarded(), "GET", "/x", headers=[("a", "b" * 17_000)])).status == 431
    assert (await call(guarded(), "GET", "/x", headers=[(f"h{n}", "v") for n in range(101)])).status == 431
    assert (await call(guarded(), "GET", "/x", headers=[("a", "b" * 15_000)])).status == 200


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Host", "Origin", "If-Match", "Idempotency-Key"])
async def test_headers_that_must_be_single(name: str) -> None:
    value = {"Host": "zena.test"}.get(name, "Bearer x")
    answer = await call(guarded(), "GET", "/api/v1/x", headers=[(name, value), (name, value)])
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


async def test_H07_two_ways_to_tell_where_the_body_ends() -> None:
    both = [("content-length", "3"), ("transfer-encoding", "chunked"), JSON]
    assert (await call(guarded(), "POST", "/api/v1/x", headers=both, chunks=[b"{}"])).status == 400
    odd = [("content-length", "+3"), JSON]
    assert (await call(guarded(), "POST", "/api/v1/x", headers=odd, chunks=[b"{}"])).status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_compressed_bodies(encoding: str) -> None:
    answer = await call(guarded(), "POST", "/api/v1/x", headers=[JSON, ("content-encoding", encoding)], chunks=[b"{}"])
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/api/v1/x", "application/json", 200),
        ("/api/v1/x", "Application/JSON; charset=UTF-8", 200),
        ("/api/v1/x", 'application/json; charset="utf-8"', 200),
        ("/api/v1/x", "application/json; charset=latin-1", 415),
        ("/api/v1/x", "text/plain", 415),
        ("/api/v1/x", "", 415),
        ("/api/v1/x", "application/x-www-form-urlencoded", 415),
        ("/api/v1/x", "multipart/form-data; boundary=b", 415),
        ("/api/v1/x", "text/csv", 415),
        ("/api/v1/app/projects/P1/imports", "text/csv", 200),
        ("/api/v1/app/projects/P1/imports", "multipart/form-data; boundary=b", 200),
        ("/api/v1/app/projects/P1/imports", "multipart/form-data", 415),
        ("/api/v1/app/projects/P1/P2/imports", "text/csv", 415),
        ("/projects", "application/x-www-form-urlencoded", 200),
        ("/projects", "multipart/form-data; boundary=b", 200),
        ("/projects", "application/json", 415),
        ("/projects", "text/plain", 415),
    ],
)
async def test_D01_content_types(path: str, content_type: str, status: int) -> None:
    headers = [("content-type", content_type)] if content_type else []
    assert (await call(guarded(), "POST", path, headers=headers, chunks=[b"{}"])).status == status


async def test_a_request_without_body_needs_no_type() -> None:
    assert (await call(guarded(), "POST", "/api/v1/x", headers=[("content-length", "0")])).status == 200
    assert (await call(guarded(), "DELETE", "/api/v1/x")).status == 200


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"[" * 20_000, 32),
        (b'{"a":' * 20_000, 160),
        (b"[" * 33 + b"]" * 33, 32),
        (b'{"a":["[[[[[[[[[[",' + b"[" * 31 + b"]" * 31 + b"]}", 49),
    ],
)
async def test_H01_deep_json(body: bytes, offset: int) -> None:
    answer = await post_json(body)
    assert (answer.status, answer.code) == (400, "MALFORMED_JSON")
    assert answer.json()["details"] == {"offset": offset}


@pytest.mark.parametrize(
    "body", [b"[" * 32 + b"]" * 32, b"[" + b"[]," * 999 + b"[]]", b'["' + b"[" * 999 + b'"]', b'["\\"["]']
)
async def test_H01_brackets_that_are_fine(body: bytes) -> None:
    assert (await post_json(body)).status == 200


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b"\xef\xbb\xbf{}", 0),
        (b'{"a":"\xe9"}', 6),
        (b'{"a":"\xed\xa0\x80"}', 6),
        (b"not json", 0),
        (b'{"a":', 5),
        (b"{}{}", 2),
        ('{"ế":x}'.encode(), 7),
        (b'{"a":"\n"}', 6),
        (b"'a'", 0),
        (b" ", 1),
    ],
)
async def test_H02_not_json(body: bytes, offset: int) -> None:
    answer = await post_json(body)
    assert (answer.status, answer.code, answer.json()["details"]) == (400, "MALFORMED_JSON", {"offset": offset})


@pytest.mark.parametrize(
    ("body", "offset"),
    [
        (b'{"a":1,"a":2}', 7),
        (b'{"a":{"b":1,"c":2,"b":3}}', 18),
        (b'{"a":1,"\\u0061":2}', 7),
        (b'[{"a":1},{"a":1,"x":[{"q":1,"q":1}]}]', 28),
        (b'{"a":NaN}', 5),
        (b'{"a":[1,-Infinity]}', 8),
        (b'{"a":1e999}', 5),
        (b'{"a":-1e999}', 5),
        (b'{"a":9223372036854775808}', 5),
        (b'{"a":[7,-9223372036854775809]}', 8),
        (b"[" + b"1" * 5000 + b"]", 1),
    ],
)
async def test_H03_ambiguous_or_huge(body: bytes, offset: int) -> None:
    answer = await post_json(body)
    assert (answer.status, answer.code, answer.json()["details"]) == (400, "MALFORMED_JSON", {"offset": offset})


@pytest.mark.parametrize(
    "body", [b'{"a":9223372036854775807,"b":-9223372036854775808,"c":1e308}', b'[{"a":1},{"a":1}]', b"null"]
)
async def test_H03_the_edges_are_inside(body: bytes) -> None:
    echo = Echo()
    answer = await call(guarded(echo), "POST", "/api/v1/x", headers=[JSON], chunks=[body[:3], body[3:]])
    assert (answer.status, echo.bodies) == (200, [body])


@pytest.mark.parametrize(
    ("path", "kind", "limit"),
    [
        ("/api/v1/x", "application/json", 1024 * 1024),
        ("/projects", "application/x-www-form-urlencoded", 1024 * 1024),
        ("/api/v1/app/projects/P1/imports", "text/csv", 5_000_000),
    ],
)
async def test_H06_body_limits(path: str, kind: str, limit: int) -> None:
    headers = [("content-type", kind)]
    announced = await call(
        guarded(), "POST", path, headers=[*headers, ("content-length", str(limit + 1))], chunks=[b"1"]
    )
    assert (announced.status, announced.reads) == (413, 0)
    chunked = [*headers, ("transfer-encoding", "chunked")]
    streamed = await call(guarded(), "POST", path, headers=chunked, chunks=[b"1" * 100_000] * (limit // 100_000 + 2))
    assert (streamed.status, streamed.headers["connection"]) == (413, "close")
    fits = await call(guarded(), "POST", path, headers=headers, chunks=[b"1" * 18])
    assert fits.status == 200


async def test_H06_the_body_is_not_read_for_somebody_who_is_sent_away() -> None:
    refusing = Echo(read_body=False, status=401)
    headers = [("content-type", "application/json"), ("content-length", "100000000")]
    answer = await call(guarded(refusing), "POST", "/api/v1/x", headers=headers, chunks=[b"[" * 100])
    assert (answer.status, answer.reads, answer.headers["connection"]) == (401, 0, "close")


async def test_H07_a_body_that_stops_arriving() -> None:
    async def receive() -> Any:
        await asyncio.sleep(5)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"zena.test"), (b"content-type", b"application/json"), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/x", "headers": headers, "query_string": b""}
    await guarded()(scope, receive, send)
    assert sent[0]["status"] == 408


async def test_a_body_that_breaks_off_is_no_server_error() -> None:
    chunked = [JSON, ("transfer-encoding", "chunked")]
    guard = guarded()

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return waiting.pop(0)

    headers = [(b"host", b"zena.test"), *[(n.encode(), v.encode()) for n, v in chunked]]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/x", "headers": headers, "query_string": b""}
    await guard(scope, receive, send)
    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"name=%E1%BA%BFch&x=1", 200),
        (b"name=%ff", 400),
        (b"name=\xe9", 400),
        (b"name=%", 400),
        (b"&".join(b"a=1" for _ in range(1001)), 413),
        (b"&".join(b"a=1" for _ in range(1000)), 200),
    ],
)
async def test_H02_forms(body: bytes, status: int) -> None:
    headers = [("content-type", "application/x-www-form-urlencoded")]
    assert (await call(guarded(), "POST", "/projects", headers=headers, chunks=[body])).status == status


async def test_an_error_around_the_routes_is_answered_without_a_word_of_it() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    answer = await call(guarded(broken), "GET", "/api/v1/x")
    assert (answer.status, answer.code) == (500, "SERVER_ERROR")
    assert b"secret" not in answer.body


async def test_a_refusal_is_a_page_for_people_and_a_document_for_programs() -> None:
    page = await call(guarded(), "GET", "/a%00?<script>", headers=[("accept", "text/html,*/*")])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.body.startswith(b"<!doctype html>")
    document = (await call(guarded(), "GET", "/api/a%00", headers=[("accept", "text/html")])).json()
    assert document["traceId"]
    assert set(document) == {
        "type", "title", "status", "detail", "instance", "ok", "code", "message", "traceId", "details",
    }  # fmt: skip
    assert document["ok"] is False


async def test_the_visit_reaches_the_application() -> None:
    echo = Echo()
    answer = await call(guarded(echo), "GET", "/api/v1/x")
    visit = visit_of(echo.seen[0])
    assert (visit.request_id, visit.is_api, visit.client) == (answer.headers["x-request-id"], True, "203.0.113.9")
