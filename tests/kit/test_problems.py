"""Every way a request can fail, as the caller sees it: one shape, the right status, nothing of ours."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar, Request, Response, Router, get, patch, post
from litestar.datastructures import UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.exceptions import TooManyRequestsException
from litestar.params import Body
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from zena.kit import faults
from zena.kit.errors import Conflict, Forbidden, Invalid, NotFound, Problem, RateLimited, Unauthorized
from zena.kit.guard import Guard, GuardRules
from zena.kit.problems import field_of, problem_handlers
from zena.kit.strict import strict_request

pytestmark = pytest.mark.filterwarnings("ignore::litestar.utils.deprecation.LitestarDeprecationWarning")
MEMBERS = {"type", "title", "status", "detail", "instance", "ok", "code", "message", "traceId", "details"}
PAGE = {"accept": "text/html"}


class Line(msgspec.Struct, forbid_unknown_fields=True):
    count: int


class Task(msgspec.Struct, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(max_length=10)]
    due: dt.date | None = None
    lines: list[Line] = []
    done: bool = False


def wrapped(state: str | None, text: str = "secret SQL of table user_account") -> DBAPIError:
    """A driver error as SQLAlchemy hands it on."""
    cause = asyncpg.PostgresError(text)
    cause.sqlstate = state
    return IntegrityError("INSERT INTO user_account", {"email": "a@b.co"}, cause)


RAISED: dict[str, Any] = {
    "boom": lambda: RuntimeError("secret"),
    "group": lambda: ExceptionGroup("several", [NotFound.of("task")]),
    "unauthorized": Unauthorized,
    "token": lambda: Unauthorized(code="TOKEN_INVALID"),
    "forbidden": lambda: Forbidden("tasks.update"),
    "conflict": Conflict,
    "rate": lambda: RateLimited(7),
    "framework429": TooManyRequestsException,
    "unique": lambda: wrapped("23505"),
    "serialization": lambda: wrapped("40001"),
    "deadlock": lambda: wrapped("40P01"),
    "statement": lambda: wrapped("57014"),
    "full": lambda: wrapped("53100"),
    "readonly": lambda: wrapped("25006"),
    "nul": lambda: wrapped("22021"),
    "syntax": lambda: wrapped("42601"),
    "pool": lambda: PoolTimeoutError("QueuePool limit of size 5"),
    "refused": lambda: ConnectionRefusedError(111, "connect to /secret/path failed"),
    "socket": lambda: FileNotFoundError(2, "no socket"),
    "timeout": TimeoutError,
    "closed": lambda: asyncpg.InterfaceError("connection is closed"),
}


@get("/raise/{name:str}")
async def raises(name: str) -> None:
    error = RAISED[name]()
    raise error


@post("/raise/{name:str}")
async def posts(name: str) -> None:
    error = RAISED[name]()
    raise error


@post("/tasks")
async def create(data: Task) -> Task:
    return data


@patch("/tasks/{task_id:uuid}")
async def change(task_id: UUID, data: Task) -> str:
    return data.title


async def provide_page(cursor: str | None = None) -> str:
    return cursor or ""


@get("/tasks", opt={"query": frozenset({"status"})}, dependencies={"page": Provide(provide_page)})
async def listing(limit: int, page: str, tag: list[str] | None = None) -> dict[str, Any]:
    return {"limit": limit, "page": page, "tag": tag}


@post("/form")
async def form(data: Annotated[Task, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
    return data.title


@post("/upload")
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> str:
    return data.filename


def drawn(request: Request[Any, Any, Any], problem: Problem) -> Response[str]:
    if "broken" in str(request.url):
        raise ValueError("no such template")
    return Response(
        f"<h1>{problem.title}</h1>", status_code=problem.status, media_type="text/html", headers=problem.headers
    )


def build() -> Guard:
    api = Router("/api/v1", route_handlers=[raises, create, change, listing])
    app = Litestar(
        route_handlers=[raises, posts, form, upload, listing, api],
        exception_handlers=problem_handlers(drawn),
        before_request=strict_request,
        openapi_config=None,
        request_max_body_size=None,
    )
    return Guard(app, GuardRules(public_url="http://localhost"))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=build(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("boom", 500, "SERVER_ERROR"),
        ("group", 404, "TASK_NOT_FOUND"),
        ("unauthorized", 401, "UNAUTHORIZED"),
        ("forbidden", 403, "FORBIDDEN"),
        ("conflict", 409, "CONFLICT"),
        ("rate", 429, "RATE_LIMIT_EXCEEDED"),
        ("framework429", 429, "RATE_LIMIT_EXCEEDED"),
        ("unique", 409, "CONFLICT"),
        ("serialization", 503, "SERVICE_UNAVAILABLE"),
        ("deadlock", 503, "SERVICE_UNAVAILABLE"),
        ("statement", 503, "SERVICE_UNAVAILABLE"),
        ("full", 507, "STORAGE_FULL"),
        ("readonly", 503, "MAINTENANCE"),
        ("nul", 422, "VALIDATION_FAILED"),
        ("syntax", 500, "SERVER_ERROR"),
        ("pool", 503, "SERVICE_UNAVAILABLE"),
        ("refused", 503, "SERVICE_UNAVAILABLE"),
        ("socket", 503, "SERVICE_UNAVAILABLE"),
        ("timeout", 503, "SERVICE_UNAVAILABLE"),
        ("closed", 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_J04_one_shape_and_nothing_of_ours(client: httpx.AsyncClient, name: str, status: int, code: str) -> None:
    answer = await client.get(f"/api/v1/raise/{name}")
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"], body["ok"]) == (status, code, status, False)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == MEMBERS
    assert body["traceId"] == answer.headers["x-request-id"]
    assert body["instance"] == f"/api/v1/raise/{name}"
    for leak in ("secret", "INSERT", "user_account", "Traceback", "a@b.co", "QueuePool", "asyncpg"):
        assert leak not in answer.text
    assert ("retry-after" in answer.headers) is (status in {429, 503})


async def test_transient_faults_are_counted_by_name(client: httpx.AsyncClient) -> None:
    before = faults.FAULTS["deadlock"]
    await client.get("/api/v1/raise/deadlock")
    assert faults.FAULTS["deadlock"] == before + 1


async def test_forbidden_names_the_permission(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/raise/forbidden")).json()["details"] == {"permission": "tasks.update"}


async def test_401_says_how_to_sign_in(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/raise/unauthorized")).headers["www-authenticate"] == 'Bearer realm="zena"'
    token = (await client.get("/api/v1/raise/token")).headers["www-authenticate"]
    assert token == 'Bearer realm="zena", error="invalid_token"'


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"title": 1}, "title", "type"),
        ({}, "title", "required"),
        ({"title": "x", "role": "owner"}, "role", "unknown"),
        ({"title": "x", "lines": [{"count": 1}, {"count": "2"}]}, "lines[1].count", "type"),
        ({"title": "x", "lines": [{"count": 1, "id": 3}]}, "lines[0].id", "unknown"),
        ({"title": "x", "lines": [{}]}, "lines[0].count", "required"),
        ({"title": "x" * 11}, "title", "length"),
        ({"title": "x", "due": "2026-02-30"}, "due", "invalid"),
        ({"title": "x", "due": "0000-00-00"}, "due", "invalid"),
        ({"title": "x", "done": "true"}, "done", "type"),
        ({"title": "x", "done": 1}, "done", "type"),
        ({"title": None}, "title", "type"),
        ({"title": ["x"]}, "title", "type"),
        ([], "body", "type"),
        (None, "body", "type"),
    ],
)
async def test_B04_refused_fields_are_named(client: httpx.AsyncClient, body: Any, path: str, code: str) -> None:
    answer = (
        await client.post("/api/v1/tasks", json=body)
        if body is not None
        else await client.post("/api/v1/tasks", content=b"null", headers={"content-type": "application/json"})
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    fields = answer.json()["details"]["fields"]
    assert [(field["path"], field["code"]) for field in fields] == [(path, code)]
    assert fields[0]["message"]


async def test_a_body_that_is_right_arrives(client: httpx.AsyncClient) -> None:
    sent = {"title": "Bê tông", "due": "2026-03-01", "lines": [{"count": 2}], "done": True}
    answer = await client.post("/api/v1/tasks", json=sent)
    assert (answer.status_code, answer.json()) == (201, sent)
    assert (await client.patch(f"/api/v1/tasks/{uuid4()}", json={"title": "x"})).text == "x"


@pytest.mark.parametrize("body", [b"", b"{", b'{"title":"\\ud800"}', b'{"title":"x"', b"[1,]"])
async def test_H02_what_does_not_decode_is_400(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/v1/tasks", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_JSON")
    assert isinstance(answer.json()["details"]["offset"], int)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=x", [("limit", "type")]),
        ("", [("limit", "required")]),
        ("limit=1&limit=2", [("limit", "repeated")]),
        ("limit=1&sort=x", [("sort", "unknown")]),
        ("limit=1&cursor=a&cursor=b", [("cursor", "repeated")]),
    ],
)
async def test_query_parameters_of_the_api(client: httpx.AsyncClient, query: str, wrong: list[tuple[str, str]]) -> None:
    answer = await client.get(f"/api/v1/tasks?{query}")
    assert answer.status_code == 422
    assert [(field["path"], field["code"]) for field in answer.json()["details"]["fields"]] == wrong


async def test_query_parameters_that_exist(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/tasks?limit=1&tag=a&tag=b&cursor=c&status=open&status=done")
    assert answer.json() == {"limit": 1, "page": "c", "tag": ["a", "b"]}
    assert (await client.get("/tasks?limit=1&utm_source=mail")).status_code == 200


async def test_addresses_and_methods_that_are_not_there(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/nothing")).json()["code"] == "NOT_FOUND"
    assert (await client.patch("/api/v1/tasks/no-uuid", json={"title": "x"})).status_code == 404
    refused = await client.delete("/api/v1/tasks", headers={"authorization": "Bearer x"})
    assert (refused.status_code, refused.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "GET, POST, OPTIONS"


async def test_people_get_pages(client: httpx.AsyncClient) -> None:
    page = await client.get("/raise/conflict", headers=PAGE)
    assert (page.status_code, page.text) == (409, "<h1>This conflicts with the present state</h1>")
    assert (await client.get("/nothing", headers=PAGE)).headers["content-type"].startswith("text/html")
    document = await client.get("/raise/conflict", headers={"accept": "application/json"})
    assert document.headers["content-type"] == "application/problem+json"


async def test_a_page_that_cannot_be_drawn_is_drawn_plainly(client: httpx.AsyncClient) -> None:
    page = await client.get("/raise/boom?broken", headers=PAGE)
    assert page.status_code == 500
    assert "Something went wrong on our side" in page.text
    assert "secret" not in page.text


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/raise/unauthorized", "/sign-in?next=/raise/unauthorized"),
        ("/raise/unauthorized?a=1&b=%22", "/sign-in?next=/raise/unauthorized%3Fa%3D1%26b%3D%2522"),
    ],
)
async def test_an_anonymous_reader_is_sent_to_sign_in(client: httpx.AsyncClient, target: str, location: str) -> None:
    answer = await client.get(target, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, location)


async def test_htmx_and_forms_of_an_ended_session(client: httpx.AsyncClient) -> None:
    part = await client.get(
        "/raise/unauthorized",
        headers={"hx-request": "true", "hx-current-url": "http://localhost/projects/P1?view=board"},
    )
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?next=/projects/P1%3Fview%3Dboard")
    form = await client.post("/raise/unauthorized", headers={"referer": "http://localhost/projects/P1"})
    assert (form.status_code, form.headers["location"]) == (303, "/sign-in?next=/projects/P1")
    odd = await client.post("/raise/unauthorized", headers={"referer": "http://localhost//evil.test"})
    assert odd.headers["location"] == "/sign-in"


async def test_forms_that_do_not_fit(client: httpx.AsyncClient) -> None:
    repeated = await client.post("/form", content="title=a&title=b", headers={
        "content-type": "application/x-www-form-urlencoded", "accept": "application/json",
    })  # fmt: skip
    assert [f["path"] for f in repeated.json()["details"]["fields"]] == ["title"]
    missing = await client.post("/form", data={"due": "x"}, headers={"accept": "application/json"})
    assert missing.status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"junk", b"--b\r\n\r\n", b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xff\r\n--b--\r\n'],
)
async def test_E04_broken_multipart_is_no_server_error(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b", "accept": "application/json"}
    answer = await client.post("/upload", content=body, headers=headers)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("message", "path", "code"),
    [
        ("Expected `int`, got `str` - at `$.a[2].b`", "a[2].b", "type"),
        ("Object missing required field `x` - at `$`", "x", "required"),
        ("Object missing required field `x`", "x", "required"),
        ("Object contains unknown field `a - at b` - at `$.q`", "q.a - at b", "unknown"),
        ("Invalid UUID - at `key` in `$.versions`", "versions", "invalid"),
        ("Invalid enum value 'x' - at `$.s`", "s", "choice"),
        ("Expected `str` matching regex '^a$' - at `$.s`", "s", "pattern"),
        ("Expected `array` of length <= 3 - at `$.s`", "s", "length"),
        ("anything else", "body", "invalid"),
    ],
)
def test_messages_of_the_decoder(message: str, path: str, code: str) -> None:
    found = field_of(message)
    assert (found.path, found.code) == (path, code)


def test_an_error_that_is_ours_is_not_taken_for_the_databases() -> None:
    assert faults.classify_fault(FileNotFoundError(2, "gone", "/etc/x")) is None
    assert faults.classify_fault(KeyError("x")) is None
    assert isinstance(faults.classify_fault(ExceptionGroup("g", [wrapped("40001")])), Problem)
    assert isinstance(faults.classify_fault(wrapped("08006")), Problem)
    assert isinstance(faults.classify_fault(OSError(28, "No space left")), Problem)
    loop = ValueError("a")
    loop.__cause__ = loop
    assert faults.classify_fault(loop) is None


def test_invalid_without_fields_still_says_something() -> None:
    assert Invalid().detail == Invalid.title
