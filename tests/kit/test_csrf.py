"""The token that binds a form to its session (the cross-site rule itself is in test_guard_peers)."""

import base64
from typing import Any

import pytest
from litestar import Litestar, Request, post
from litestar.testing import TestClient

from zena.kit.csrf import check_form_token, form_token, given_form_token, origin_allowed
from zena.kit.errors import Forbidden

SECRET, OTHER = b"a" * 32, b"b" * 32
ORIGINS = frozenset({"https://zena.test"})


def test_D01_a_token_belongs_to_its_session_and_is_new_each_time() -> None:
    first, second = form_token(SECRET), form_token(SECRET)
    assert first != second
    for token in (first, second):
        check_form_token(SECRET, token)
        with pytest.raises(Forbidden) as refused:
            check_form_token(OTHER, token)
        assert refused.value.error_code == "FORM_EXPIRED"


@pytest.mark.parametrize(
    "given", [None, "", "x", "é", "A" * 44, "A" * 4000, base64.b64encode(b"\0" * 33).decode(), "====", "\0"]
)
def test_D01_what_is_no_token(given: str | None) -> None:
    with pytest.raises(Forbidden):
        check_form_token(SECRET, given)


def test_D01_any_changed_character_is_noticed() -> None:
    token = form_token(SECRET)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Forbidden):
            check_form_token(SECRET, changed)


@pytest.mark.parametrize(
    ("origin", "bearer", "allowed"),
    [
        ("https://zena.test", False, True),
        ("https://zena.test", True, True),
        (None, True, True),
        (None, False, False),
        ("null", True, False),
        ("https://evil.test", True, False),
        ("https://zena.test/", False, False),
    ],
)
def test_G01_origins_of_sockets(origin: str | None, bearer: bool, allowed: bool) -> None:
    assert origin_allowed(origin, ORIGINS, bearer=bearer) is allowed


@post("/form")
async def form(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    return {"token": await given_form_token(request)}


def test_the_header_wins_over_the_field_and_files_are_no_token() -> None:
    with TestClient(Litestar([form], openapi_config=None)) as client:
        assert client.post("/form", data={"_token": "field"}).json() == {"token": "field"}
        assert client.post("/form", data={"_token": "field"}, headers={"X-Zena-Token": "header"}).json() == {
            "token": "header"
        }
        assert client.post("/form", files={"_token": ("a.txt", b"x")}).json() == {"token": None}
        assert client.post("/form", files={"a": ("a.txt", b"x")}, data={"_token": "part"}).json() == {"token": "part"}
        assert client.post("/form", content=b"{}", headers={"content-type": "application/json"}).json() == {
            "token": None
        }
