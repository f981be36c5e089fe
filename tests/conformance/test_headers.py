"""D04, D05, D06: the headers that every answer carries, whatever it answers."""

import re
from typing import Any, NoReturn

import httpx
import pytest

from tests.conformance.crawl import routes
from tests.conformance.scene import APP, Scene, furnished
from tests.factories import Firm
from tests.factories.firms import As
from zena.accounts.permissions import Role
from zena.kit.state import State

FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
TELLING = {"server", "x-powered-by", "via", "x-aspnet-version"}
_SOURCES = re.compile(r"(?P<name>[a-z-]+) (?P<sources>[^;]+)")


def check_headers(answer: httpx.Response) -> None:
    """Assert what a browser must be told with this answer."""
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code}"
    headers = answer.headers
    for name, value in FIXED.items():
        assert headers.get(name) == value, f"{where} {name}"
    assert "camera=()" in headers["permissions-policy"], where
    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"]), where
    assert TELLING.isdisjoint(headers), where
    _check_policy(answer, where)
    _check_caching(answer, where)
    if headers.get("content-type", "").startswith("text/"):
        assert headers["content-type"].count("charset=utf-8") == 1, where


def _check_policy(answer: httpx.Response, where: str) -> None:
    policy = {found["name"]: found["sources"] for found in _SOURCES.finditer(answer.headers["content-security-policy"])}
    assert policy["frame-ancestors"] == "'none'", where
    assert policy["base-uri"] == "'none'", where
    assert policy["default-src"] == "'none'", where
    assert "unsafe" not in str(policy), where
    if not answer.headers.get("content-type", "").startswith("text/html"):
        assert "script-src" not in policy, where
        return
    nonces = set(re.findall(r"nonce-([\w-]+)", policy["script-src"]))
    assert policy["script-src"] == (f"'nonce-{nonces.pop()}'" if nonces else "'none'"), where
    for tag in re.findall(r"<script\b[^>]*>", answer.text):
        assert re.search(r'nonce="[\w-]{16,}"', tag), f"{where} {tag}"
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", _markup(answer.text)), where


def _check_caching(answer: httpx.Response, where: str) -> None:
    if answer.request.url.path.startswith("/static/") and answer.status_code < 400:
        return
    assert "no-store" in answer.headers["cache-control"], where
    assert "cookie" in answer.headers["vary"].lower(), where


def _markup(text: str) -> str:
    """Return the tags of a page: quoted values and words between them may say anything."""
    return " ".join(re.sub(r'"[^"]*"', '""', tag) for tag in re.findall(r"<[a-zA-Z][^>]*>", text))


@pytest.fixture(scope="module")
async def scene(state: State, http: httpx.AsyncClient) -> Scene:
    return await furnished(state, http)


async def test_D06_every_route_read_by_its_owner(state: State, scene: Scene) -> None:
    answered = set()
    for route in routes(state, safe=True):
        answer = await scene.by().get(route.at(scene.ids))
        check_headers(answer)
        answered.add(answer.status_code)
    assert {200, 303, 404, 422} <= answered


async def test_D06_every_route_called_by_nobody(state: State, scene: Scene, anonymous: As) -> None:
    for route in routes(state, safe=True) + routes(state, safe=False):
        check_headers(await anonymous.send(route.method, route.at(scene.ids)))


async def test_D06_files(anonymous: As) -> None:
    page = await anonymous.get("/sign-in")
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(files) >= 3
    for file in files:
        answer = await anonymous.get(file)
        assert answer.status_code == 200, file
        check_headers(answer)


REFUSED: list[tuple[int, str, str, dict[str, Any]]] = [
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/api/v1/nowhere", {}),
    (404, "GET", "/static/0/nothing.js", {}),
    (405, "DELETE", "/projects", {}),
    (405, "TRACE", "/projects", {}),
    (405, "PUT", f"{APP}/labels", {}),
    (400, "GET", "/projects", {"headers": {"host": "evil.test"}}),
    (400, "GET", "/projects/%ff", {}),
    (400, "POST", f"{APP}/labels", {"content": b"{", "headers": {"content-type": "application/json"}}),
    (413, "POST", f"{APP}/labels", {"json": {"name": "x" * 1_100_000}}),
    (414, "GET", "/projects?q=" + "x" * 9_000, {}),
    (415, "POST", f"{APP}/labels", {"content": b"name=x", "headers": {"content-type": "text/plain"}}),
    (422, "POST", f"{APP}/labels", {"json": {"name": ""}}),
    (428, "PATCH", f"{APP}/settings", {"json": {"name": "Firm"}}),
    (431, "GET", "/projects", {"headers": {"x-long": "x" * 20_000}}),
    (401, "GET", f"{APP}/labels", {"headers": {"authorization": "Bearer nobody"}}),
    (403, "POST", f"{APP}/labels", {"json": {"name": "x"}, "headers": {"sec-fetch-site": "cross-site"}}),
    (403, "POST", "/projects", {"data": {"name": "x"}}),
]


@pytest.mark.parametrize(("status", "method", "url", "options"), REFUSED, ids=lambda value: str(value)[:40])
async def test_D06_refusals(
    firm: Firm, http: httpx.AsyncClient, status: int, method: str, url: str, options: dict[str, Any]
) -> None:
    answer = await firm.client(http).send(method, url, **options)
    assert answer.status_code == status, answer.text[:300]
    check_headers(answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_D06_other_methods(firm: Firm, http: httpx.AsyncClient, method: str) -> None:
    for url in ("/projects", f"{APP}/labels", "/sign-in", "/nowhere"):
        answer = await firm.client(http).send(method, url)
        expected = 404 if url == "/nowhere" else 204 if method == "OPTIONS" else 405
        assert answer.status_code == expected
        assert ("allow" in answer.headers) is (expected != 404)
        check_headers(answer)


@pytest.mark.parametrize(
    ("url", "broken"),
    [(f"{APP}/labels", "zena.work.api.labels.all_labels"), ("/my-work", "zena.work.web.mine.people")],
)
async def test_D06_a_server_error_carries_them_too_and_tells_nothing(
    firm: Firm, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, url: str, broken: str
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise RuntimeError("SELECT canary FROM /srv/zena/secret.py")

    monkeypatch.setattr(broken, fail)
    answer = await firm.client(http, Role.PM).get(url)
    assert answer.status_code == 500
    check_headers(answer)
    for word in ("canary", "Traceback", "RuntimeError", "SELECT", ".py", "site-packages"):
        assert word not in answer.text
    assert answer.headers["x-request-id"] in answer.text  # what a user can tell us
