"""Pages over HTTP: refused forms, error pages, languages, static files, what caches may keep."""

import re

import httpx
import pytest

from tests.factories import Firm
from tests.factories.firms import As
from zena.accounts.permissions import Role
from zena.kit.state import State

ORIGIN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


async def test_a_page_is_never_kept_by_a_cache(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sign-in", headers=ORIGIN)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "Cookie" in answer.headers["vary"]


async def test_the_browsers_language_is_spoken_before_sign_in(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sign-in", headers=ORIGIN | {"Accept-Language": "vi-VN,vi;q=0.9"})
    assert '<html lang="vi"' in answer.text
    assert "Mật khẩu" in answer.text


async def test_every_script_has_the_nonce_of_the_policy(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sign-in", headers=ORIGIN)
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])
    assert nonce
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert scripts
    assert all(f'nonce="{nonce[1]}"' in script for script in scripts)


async def test_a_refused_form_keeps_what_was_typed(http: httpx.AsyncClient) -> None:
    form = {"email": 'a"b@firm.test', "password": "not the one"}
    answer = await http.post("/sign-in", data=form, headers=ORIGIN)
    assert answer.status_code == 422
    assert 'value="a&#34;b@firm.test"' in answer.text
    assert "not the one" not in answer.text
    assert 'role="alert"' in answer.text


async def test_nothing_here_is_a_page_without_the_database(http: httpx.AsyncClient) -> None:
    answer = await http.get("/no/such/page", headers=ORIGIN | {"Accept-Language": "vi"})
    assert answer.status_code == 404
    assert "Không có gì ở đây" in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_htmx_is_told_in_a_toast(http: httpx.AsyncClient) -> None:
    answer = await http.get("/no/such/page", headers=ORIGIN | {"HX-Request": "true"})
    assert answer.status_code == 404
    assert "zena:toast" in answer.headers["hx-trigger"]
    assert not answer.text


async def test_static_files_are_kept_for_ever_under_their_hash_only(http: httpx.AsyncClient, state: State) -> None:
    url = state.html.assets.url("css/app.css")
    answer = await http.get(url)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    older = await http.get(url.replace(state.html.assets.version, "0ld"))
    assert older.status_code == 200
    assert "immutable" not in older.headers["cache-control"]


@pytest.mark.parametrize("path", ["css/../../files.py", "locale/vi.po", "%2e%2e/__init__.py", ""])
async def test_nothing_else_is_served_from_there(http: httpx.AsyncClient, state: State, path: str) -> None:
    answer = await http.get(f"/static/{state.html.assets.version}/{path}")
    assert answer.status_code in {400, 404}, answer.text[:200]


async def test_the_look_of_the_cookie_is_drawn_from_the_start(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sign-in", headers=ORIGIN | {"Cookie": 'zena_look=dark.contrast."><script>'})
    assert 'data-theme="dark" data-contrast="more"' in answer.text
    assert '"><script>' not in answer.text


async def test_the_side_bar_marks_where_we_are(firm: Firm, http: httpx.AsyncClient) -> None:
    answer = await As(http, firm.people[Role.OWNER]).send("GET", "/members", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert re.search(r'<a href="/members" aria-current="page"', answer.text)
    assert answer.text.count('aria-current="page"') >= 1
