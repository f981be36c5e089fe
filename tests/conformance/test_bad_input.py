"""Section 4 of the threats: bad input on every address of the application, and the answer that names it.

What is refused before any route is known stands in tests/kit/test_guard.py, sockets in test_realtime_access.py.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conformance.crawl import PARAMETER, Route, form_headers, same_answer
from tests.conformance.described import Field, fields_of
from tests.conformance.scene import APP
from tests.factories.firms import As
from tests.matrix import Row
from tests.matrix.world import Furnished, all_rows, furnish
from zena.kit.state import State
from zena.main import routes_of

ROWS = all_rows()
FORMS = [row for row in ROWS if row.form]
#: Proofs are compared, never stored or shown: whatever was typed is simply not the right one.
PROOFS = frozenset({"password", "current", "new", "code", "token"})
NUL, ESCAPE = "a\x00b", "a\x1b[2Jb"


@dataclass(slots=True)
class Place:
    """A furnished firm, and the rows of the matrix sent there by somebody who may."""

    world: Furnished
    http: httpx.AsyncClient
    ids: Mapping[str, str]

    async def send(self, row: Row, **options: Any) -> httpx.Response:
        """Send to a row's address as its first caller: the owner, or who wrote the comment."""
        who = self.world.firm.client(self.http, row.allow.split()[0] if row.allow else "owner")
        headers = options.pop("headers", row.headers(self.ids) if row.headers else {})
        if row.form or row.files:
            headers = {**headers, **form_headers(who)}
        url = PARAMETER.sub(lambda match: self.ids[match[1]], row.path)
        return await who.send(row.method, url, headers=dict(headers), **options)

    async def named(self, field: Field, value: Any) -> list[str]:
        """Send a body with this value; return what is wrong with the answer, if anything.

        Who shows no key, or a wrong one, learns nothing of the rest.
        """
        body = field.in_body(self.ids, value)
        answer = await self.send(field.row, json=body)
        hidden = answer.status_code == (404 if body.get("token") == "dead" else 401)
        if hidden or names(answer, field.name):
            return []
        where = f"{field.row.method} {field.row.path} {field.name}={value!r:.40}"
        return [f"{where}: {answer.status_code} {answer.text[:300]}"]


def names(answer: httpx.Response, field: str) -> bool:
    """Tell whether an answer refuses this field: as the first of all, or of each task of many."""
    if answer.status_code == 200 and "/tasks/bulk" in str(answer.request.url):
        outcomes = answer.json()["data"]
        told = [(one["status"], one["message"].partition(":")[0]) for one in outcomes if not one["ok"]]
        return bool(told) and told == [(422, field.removeprefix("set."))] * len(outcomes)
    return answer.status_code == 422 and answer.json()["details"]["fields"][0]["path"].split("[")[0] == field


def refused(answer: httpx.Response) -> list[str]:
    """Return the fields that an answer names; assert that it is the refusal of some."""
    assert answer.status_code == 422, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    return [field["path"] for field in answer.json()["details"]["fields"]]


@pytest.fixture
async def place(state: State, http: httpx.AsyncClient) -> Place:
    world = await furnish(state)
    return Place(world, http, {"path": "nothing.css", "version": "0", "token": "dead"} | world.ids)


@pytest.fixture
def ids(place: Place) -> Mapping[str, str]:
    return place.ids


@pytest.fixture
def owner(place: Place, http: httpx.AsyncClient) -> As:
    return place.world.firm.client(http)


@pytest.fixture
async def described(owner: As) -> Any:
    return (await owner.get("/api/v1/openapi.json")).json()


@pytest.fixture
def fields(described: Any) -> list[Field]:
    found = fields_of(described, ROWS)
    assert len({field.row.path for field in found}) >= 30
    assert len(found) >= 120
    return found


async def test_B04_a_value_of_another_type_is_named(place: Place, fields: list[Field]) -> None:
    others = {"string": 7, "integer": "1", "boolean": "true", "array": "x", "object": "x", "number": "1"}
    told: list[str] = []
    for field in fields:
        wrong: list[Any] = [value for kind, value in others.items() if kind in field.kinds]
        wrong += [[], ["x"]] if "array" not in field.kinds else [{}]
        wrong += [None] if "null" not in field.kinds else []
        for value in wrong:
            told += await place.named(field, value)
    assert told == [], "\n".join(told)


async def test_B04_a_field_nobody_knows_is_named(place: Place, fields: list[Field]) -> None:
    told: list[str] = []
    for row in {field.row.path: field.row for field in fields}.values():
        for name in ("surprise", "tenant_id", "is_admin", "__class__"):
            told += await place.named(Field(row, (name,), frozenset()), "x")
    assert told == [], "\n".join(told)


@pytest.mark.parametrize("value", [NUL, ESCAPE, "x" * 900_000], ids=["nul", "escape", "900,000 characters"])
async def test_H02_text_that_cannot_be_kept_is_named(place: Place, fields: list[Field], value: str) -> None:
    told: list[str] = []
    for field in fields:
        if "string" in field.kinds and field.name not in PROOFS:
            told += await place.named(field, value)
    assert told == [], "\n".join(told)


async def test_H02_a_proof_that_holds_anything_is_only_wrong(place: Place, fields: list[Field]) -> None:
    for field in fields:
        for value in (NUL, ESCAPE, "١٢٣٤٥٦", "đ" * 200_000) if field.name in PROOFS else ():
            answer = await place.send(field.row, json=field.in_body(place.ids, value))
            expected = {204, 401} if field.name == "current" else {401, 404, 409, 422, 429}  # they have no password yet
            assert answer.status_code in expected, f"{field.row.path} {value!r:.20}"


DAYS = (
    "0000-00-00",
    "10000-01-01",
    "2026-02-30",
    "infinity",
    "-infinity",
    "9999-12-31",
    "today",
    "",
    "2026-01-01T24:00",
)


async def test_dates_that_are_none_are_named(place: Place, fields: list[Field]) -> None:
    dates = [field for field in fields if field.kinds & {"date", "date-time"}]
    assert len(dates) >= 9
    told: list[str] = []
    for field in dates:
        for value in (*DAYS, "2026-01-01T00:00:00", 20260101):
            told += await place.named(field, value)
    assert told == [], "\n".join(told)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "UTC\x00", "", "Asia/Ho_Chi_Minh ", "x" * 500])
async def test_a_time_zone_that_is_none_is_named(owner: As, zone: str) -> None:
    for path in ("/api/v1/me", f"{APP}/settings"):
        answer = await owner.patch(path, json={"timezone": zone}, headers={"If-Match": "*"})
        assert refused(answer) == ["timezone"]


WRONG_IDS = (
    "1",
    "0" * 36,
    "x" * 300,
    "null",
    "{task_id}",
    "01a2155d-2622-741e-94d4-b532bfd69bbg",
    "-1",
    "%F0%9F%8F%97",
)


async def test_B01_an_address_without_an_id_is_nowhere(owner: As, ids: Mapping[str, str]) -> None:
    for row in ROWS:
        for name in re.findall(r"\{(\w+):uuid\}", row.path):
            for wrong in WRONG_IDS:
                url = Route(row.method, row.path).at({**ids, name: wrong})
                answer = await owner.send(row.method, url, headers=form_headers(owner))
                assert answer.status_code == 404, f"{row.method} {url}: {answer.text[:200]}"


@pytest.mark.parametrize(("kind", "made"), [("tasks", "projects/{project_id}/tasks"), ("projects", "projects")])
async def test_B01_what_was_deleted_for_good_was_never_there(
    owner: As, ids: Mapping[str, str], kind: str, made: str
) -> None:
    gone = (await owner.post(f"{APP}/{made.format(**ids)}", json={"name": "Gone"})).json()["id"]
    for end in ("trash", "purge"):
        assert (await owner.post(f"{APP}/{kind}/{gone}/{end}")).status_code < 300
    for method, sent in (("GET", {}), ("DELETE", {}), ("PATCH", {"json": {"name": "x"}, "headers": {"If-Match": "*"}})):
        answers = [
            same_answer(await owner.send(method, f"{APP}/{kind}/{one}", **sent), {"id": one})
            for one in (gone, str(uuid4()))
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


async def test_a_method_that_is_not_offered_names_those_that_are(
    owner: As, state: State, ids: Mapping[str, str]
) -> None:
    offered: dict[str, set[str]] = {}
    for method, path, _ in routes_of(state):
        offered.setdefault(path, set()).add(method)
    for path, methods in offered.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - methods:
            url = PARAMETER.sub(lambda match: ids[match[1]], path)
            answer = await owner.send(method, url, headers={"x-http-method-override": min(methods)})
            if answer.status_code == 405:
                allowed = set(answer.headers["allow"].split(", "))
                assert method not in allowed
                assert methods <= allowed or method == "TRACE", f"{method} {url}: {allowed}"
            else:
                assert answer.status_code == 404, f"{method} {url}: {answer.status_code}"
                assert any(path != other and _alike(path, other) for other in offered), f"{method} {url}"


def _alike(path: str, other: str) -> bool:
    return path.count("/") == other.count("/")


async def test_query_parameters_are_known_single_and_good(owner: As, ids: Mapping[str, str], described: Any) -> None:
    tried = 0
    for path, item in described["paths"].items():
        if "get" not in item or path.endswith("/events"):  # a stream: its refusals stand with the sockets
            continue
        url = PARAMETER.sub(lambda match: ids[match[1]], path)
        names = [one["name"] for one in item["get"].get("parameters", []) if one["in"] == "query"]
        wrong = [("surprise", "surprise=1"), ("page", "page=-1")]
        wrong += [(name, f"{name}=1&{name}=1") for name in names]
        wrong += [("limit", f"limit={value}") for value in (-1, 0, 10**9, "x", "1.5", "") if "limit" in names]
        wrong += [("cursor", f"cursor={value}") for value in ("x", "e30", "a" * 3000) if "cursor" in names]
        wrong += [("sort", f"sort={value}") for value in ("", "-", "id;", "tenant_id") if "sort" in names]
        for name, query in wrong:
            assert name in refused(await owner.get(f"{url}?{query}")), f"{url}?{query}"
            tried += 1
    assert tried >= 150


async def test_a_cursor_with_one_changed_character_is_refused(owner: As) -> None:
    for path in ("tasks", "members", "audit"):
        cursor = (await owner.get(f"{APP}/{path}?limit=1")).json()["page"]["next"]
        for place in range(0, len(cursor), 7):
            other = "A" if cursor[place] != "A" else "B"
            answer = await owner.get(f"{APP}/{path}?limit=1&cursor={cursor[:place]}{other}{cursor[place + 1 :]}")
            assert refused(answer) == ["cursor"], f"{path} {place}"


CHANGES = [row for row in ROWS if row.method == "PATCH"]


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: row.path)
async def test_a_change_names_the_version_it_is_based_on(place: Place, row: Row) -> None:
    assert row.json is not None
    body = row.json(place.ids)

    async def changed(tag: str | bytes | None) -> httpx.Response:
        return await place.send(row, json=body, headers={} if tag is None else {"If-Match": tag})

    assert (await changed(None)).status_code == 428
    stale = await changed('"999999999"')
    assert (stale.status_code, stale.json()["code"]) == (412, "CONFLICT")
    assert stale.json()["details"]["current"]
    for tag in ("", "3", '"', '"x"', '"-1"', '"1", "2"', f'"{"9" * 40}"', '"\u0661"'.encode(), b'"\xb2"'):
        assert refused(await changed(tag)) == ["If-Match"], tag


KEPT = {
    "markup": '"><script>alert(1)</script><img src=x onerror=alert(2)>',
    "bidi": "a\u202ecod.exe\u202c b",
    "joined": "👷🏽\u200d♀️ crane",
    "right to left": "رافعة הרמה",
    "quotes": "Robert'); DROP TABLE task;-- {{7*7}} ${7*7} %s %(x)s",
    "decomposed": unicodedata.normalize("NFD", "Đổ bê tông trụ cầu"),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
async def test_D03_text_is_kept_as_typed_and_shown_inert(state: State, http: httpx.AsyncClient, text: str) -> None:
    world = await furnish(state)
    owner, ids = world.firm.client(http), world.ids
    name = unicodedata.normalize("NFC", text)
    project = f"{APP}/projects/{ids['project_id']}"
    task, key = f"{APP}/tasks/{ids['task_id']}", ids["project_key"]
    everywhere = {"If-Match": "*"}
    for url, body in ((project, {"name": f" {text} "}), (task, {"name": text, "description": text})):
        answer = await owner.patch(url, json=body, headers=everywhere)
        assert (answer.status_code, answer.json()["name"]) == (200, name), answer.text
    assert (await owner.get(task)).json()["description"] == text
    label = await owner.post(f"{APP}/labels", json={"name": text[:50], "hue": 2})
    assert label.status_code == 201, label.text
    assert (await owner.post(f"{task}/labels", json={"add": [label.json()["id"]]})).status_code == 200
    assert (await owner.post(f"{task}/comments", json={"body": text})).status_code == 201
    moved = await owner.post(f"{task}/move", json={"status": "canceled", "reason": text})
    assert moved.status_code == 200, moved.text
    pages = ("/projects", f"/projects/{key}", f"/projects/{key}/board", f"/projects/{key}/settings", "/tasks")
    shown = 0
    for path in (*pages, f"/tasks/{ids['task_key']}", "/labels", "/dashboard", "/audit", "/my-work", "/trash"):
        page = await owner.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        shown += name in unescape(page.text)
    assert shown >= 4


async def test_names_that_only_look_different_are_the_same(owner: As) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Cầu trục số 2") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert (await owner.post(f"{APP}/labels", json={"name": composed, "hue": 1})).status_code == 201
    twin = await owner.post(f"{APP}/labels", json={"name": decomposed, "hue": 1})
    assert refused(twin) == ["name"]


#: Fields that a form may send several times.
SEVERAL = frozenset({"assignees", "labels", "ids", "scopes"})


@pytest.mark.parametrize("row", FORMS, ids=lambda row: row.path)
async def test_forms_take_each_field_once_as_text(place: Place, row: Row) -> None:
    assert row.form is not None
    good = dict(row.form(place.ids))
    #: Who has no key learns nothing, nor who is no operator (tests/operate tries theirs); a task's key is looked up.
    expected = (
        {403}
        if row.path.startswith("/ops/")
        else {404}
        if "{token" in row.path
        else {404, 422}
        if "key" in good
        else {422}
    )
    for name, value in good.items():
        rest = {other: kept for other, kept in good.items() if other != name}
        tries: list[dict[str, Any]] = [{"files": {name: ("a.txt", b"x")}, "data": rest}]
        tries += [{"data": {**good, name: [value, value]}}] if name not in SEVERAL else []
        tries += [{"data": {**good, name: bad}} for bad in (NUL, ESCAPE, "x" * 100_000) if name not in PROOFS]
        for body in tries:
            answer = await place.send(row, **body)
            told = answer.status_code in expected or "changed%3A%200%2C" in answer.headers.get("set-cookie", "")
            assert told, f"{str(body)[:80]}: {answer.status_code}"


@pytest.mark.parametrize("number", ["--3", "-", "\u0663", "1.5", "9" * 17, "1e3", "0x1", "12", "-1"])
async def test_a_number_of_a_form_that_is_none_is_said_and_the_rest_is_kept(owner: As, number: str) -> None:
    answer = await owner.post("/labels", data={"name": "Steel beams", "hue": number}, headers=form_headers(owner))
    assert (answer.status_code, "Steel beams" in answer.text) == (422, True), answer.text[:300]


async def test_a_form_of_a_thousand_parts_and_more_is_not_read(owner: As) -> None:
    parts = {f"n{number}": (None, b"x") for number in range(1001)}
    answer = await owner.post("/projects", files=parts, headers=form_headers(owner))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "part",
    [
        b'name="name"\r\n\r\n\xff\xfe',
        b'name="name"\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nx',
        b'name="na\xffme"\r\n\r\nx',
        b'filename="a.txt"\r\n\r\nx',
    ],
)
async def test_H02_a_part_that_cannot_be_read_is_no_server_error(owner: As, part: bytes) -> None:
    body = b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n--b--\r\n"
    headers = form_headers(owner) | {"content-type": "multipart/form-data; boundary=b"}
    assert (await owner.post("/projects", content=body, headers=headers)).status_code in {400, 422}
