"""C11 and the second factor: no door without it, no code twice."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from tests.accounts.browser import Browser, Person, age_confirmation, as_ops, enrol, make_person
from tests.factories import Firm
from zena.accounts.facade import issue_reset_link, issue_sign_in_link
from zena.accounts.queries.people import person as person_row
from zena.accounts.vault import SealBroken, Vault
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work

NEW_PASSWORD = "a-crane-lifts-27-beams"


async def _protected(state: State, app: object, firm: Firm) -> tuple[Person, list[str]]:
    person = await make_person(state, firm)
    async with Browser(app) as browser:
        await browser.sign_in(person)
        codes = await enrol(state, browser, person)
    return person, codes


async def test_the_code_completes_the_sign_in_under_a_new_value(
    state: State, app: object, browser: Browser, firm: Firm
) -> None:
    person, _ = await _protected(state, app, firm)
    answer = await browser.sign_in(person)
    half = browser.cookie
    assert answer.json() == {"stage": "mfa", "user": str(person.user), "tenant": None, "role": None}
    assert not await browser.is_signed_in()
    done = await browser.api("POST", "auth/mfa", {"code": person.code(state)})
    assert done.json()["stage"] == "full"
    assert browser.cookie != half  # C01: rotated when more was proved
    assert await browser.is_signed_in()


async def test_the_pages_ask_for_the_code_too(state: State, app: object, browser: Browser, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    fields = {"email": person.email, "password": person.password, "next": "/members"}
    answer = await browser.form("/sign-in", "/sign-in", fields)
    assert answer.headers["location"] == "/sign-in/code?next=/members"
    assert (await browser.get("/members")).headers["location"] == "/sign-in?next=/members"
    wrong = await browser.form("/sign-in/code", "/sign-in/code", {"code": "000000", "next": "/members"})
    assert wrong.status_code == 422
    done = await browser.form("/sign-in/code", "/sign-in/code", {"code": person.code(state), "next": "/members"})
    assert done.headers["location"] == "/members"
    assert (await browser.get("/members")).status_code == 200


@pytest.mark.parametrize("code", ["\u0661\u0662\u0663\u0664\u0665\u0666", "\uff11" * 6, "12345\x00", "12345é"])
async def test_a_code_of_anything_is_only_wrong(
    state: State, app: object, browser: Browser, firm: Firm, code: str
) -> None:
    person, _ = await _protected(state, app, firm)
    await browser.sign_in(person)
    assert (await browser.api("POST", "auth/mfa", {"code": code})).status_code == 401
    assert (await browser.api("POST", "auth/mfa", {"code": person.code(state)})).status_code == 200


async def test_a_code_works_once(state: State, app: object, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    code = person.code(state)
    statuses = []
    for _ in range(2):
        async with Browser(app) as browser:
            await browser.sign_in(person)
            statuses.append((await browser.api("POST", "auth/mfa", {"code": code})).status_code)
    assert statuses == [200, 401]


async def test_a_recovery_code_works_once_and_is_written_down(
    state: State, app: object, browser: Browser, firm: Firm
) -> None:
    person, codes = await _protected(state, app, firm)
    statuses = []
    for typed in (codes[0].upper().replace("-", " "), codes[0]):
        await browser.sign_in(person)
        statuses.append((await browser.api("POST", "auth/mfa", {"code": typed})).status_code)
    assert statuses == [200, 401]
    found = await as_ops(
        state, "SELECT payload FROM event WHERE tenant_id = :t AND type = 'access.recovery_code_used'", t=firm.tenant
    )
    assert [row.payload["left"] for row in found] == [9]


async def test_wrong_codes_must_wait_even_from_elsewhere(state: State, app: object, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    statuses = []
    for _ in range(7):
        async with Browser(app) as browser:
            await browser.sign_in(person)
            statuses.append((await browser.api("POST", "auth/mfa", {"code": "000000"})).status_code)
    assert statuses[:6] == [401] * 6
    assert statuses[6] == 429


async def test_the_half_open_session_ends_soon(state: State, app: object, browser: Browser, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    await browser.sign_in(person)
    await as_ops(state, "UPDATE session SET expires_at = now() WHERE user_id = :u AND stage = 'mfa'", u=person.user)
    assert (await browser.api("POST", "auth/mfa", {"code": person.code(state)})).status_code == 401
    assert (await browser.get("/sign-in/code")).headers["location"] == "/sign-in"


Door = Callable[[State, Browser, Person], Awaitable[httpx.Response]]


async def _by_password(_: State, browser: Browser, person: Person) -> httpx.Response:
    return await browser.sign_in(person)


async def _by_page(_: State, browser: Browser, person: Person) -> httpx.Response:
    return await browser.form("/sign-in", "/sign-in", {"email": person.email, "password": person.password})


async def _by_link(state: State, browser: Browser, person: Person) -> httpx.Response:
    link = await issue_sign_in_link(state.db, "https://zena.test", person.email)
    assert link is not None
    return await browser.form(link, link, {})


async def _by_reset(state: State, browser: Browser, person: Person) -> httpx.Response:
    link = await issue_reset_link(state.db, "https://zena.test", person.email)
    token = (link or "").rpartition("/")[2]
    return await browser.api("POST", "auth/password/reset", {"token": token, "password": NEW_PASSWORD})


async def _by_ticket(_: State, browser: Browser, person: Person) -> httpx.Response:
    await browser.sign_in(person)
    return await browser.api("POST", "auth/ticket")


async def _by_half_cookie_as_token(_: State, browser: Browser, person: Person) -> httpx.Response:
    await browser.sign_in(person)
    return await browser.api("GET", "me", headers={"authorization": f"Bearer {browser.cookie}"})


@pytest.mark.parametrize("door", [_by_password, _by_page, _by_link, _by_reset, _by_ticket, _by_half_cookie_as_token])
async def test_C11_no_door_passes_by_the_second_factor(
    door: Door, state: State, app: object, browser: Browser, firm: Firm
) -> None:
    person, _ = await _protected(state, app, firm)
    await door(state, browser, person)
    assert not await browser.is_signed_in()
    assert (await browser.api("GET", "app/members")).status_code == 401
    assert (await browser.api("POST", "auth/ticket")).status_code == 401


async def test_C11_confirming_asks_for_the_code_too(state: State, app: object, browser: Browser, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    await browser.sign_in(person)
    await browser.api("POST", "auth/mfa", {"code": person.code(state)})
    await age_confirmation(state, person)
    refused = await browser.api("DELETE", "me/mfa")
    assert (refused.status_code, refused.json()["code"]) == (403, "CONFIRMATION_REQUIRED")
    assert (await browser.api("POST", "auth/confirmation", {"password": person.password})).status_code == 401


async def test_turning_it_off_wants_a_fresh_confirmation_and_forgets_the_seed(
    state: State, browser: Browser, firm: Firm
) -> None:
    person = await make_person(state, firm)
    await browser.sign_in(person)
    await enrol(state, browser, person)
    assert (await browser.api("GET", "me/mfa")).json() == {"enabled": True, "recovery_codes_left": 10}
    assert (await browser.api("DELETE", "me/mfa")).status_code == 204
    assert (await browser.api("GET", "me/mfa")).json() == {"enabled": False, "recovery_codes_left": 0}
    kept = await as_ops(state, "SELECT totp_secret FROM user_account WHERE id = :u", u=person.user)
    assert kept[0].totp_secret is None


async def test_the_pages_turn_it_on(state: State, browser: Browser, firm: Firm) -> None:
    person = await make_person(state, firm)
    await browser.sign_in(person)
    shown = await browser.form("/profile/security", "/profile/second-factor", {})
    assert "<svg" in shown.text
    person.seed = shown.text.split('<p class="secret">')[1].split("<")[0].strip()
    token = shown.text.split('name="_token" value="')[1].split('"')[0]
    wrong = await browser.client.post("/profile/second-factor/confirmation", data={"code": "000000", "_token": token})
    assert wrong.status_code == 422
    assert person.seed in wrong.text
    token = wrong.text.split('name="_token" value="')[1].split('"')[0]
    done = await browser.client.post(
        "/profile/second-factor/confirmation", data={"code": person.code(state), "_token": token}
    )
    assert done.status_code == 200
    assert done.text.count("<li>") >= 10


async def test_neither_seed_nor_recovery_code_stands_in_the_database(state: State, app: object, firm: Firm) -> None:
    person, codes = await _protected(state, app, firm)
    rows = await as_ops(state, "SELECT totp_secret FROM user_account WHERE id = :u", u=person.user)
    assert person.seed.encode() not in rows[0].totp_secret
    kept = await as_ops(state, "SELECT code_hash FROM recovery_code WHERE user_id = :u", u=person.user)
    assert len(kept) == 10
    assert not any(code.replace("-", "").encode() in row.code_hash for code in codes for row in kept)


async def test_a_seed_opens_for_its_owner_only(state: State, app: object, firm: Firm) -> None:
    person, _ = await _protected(state, app, firm)
    async with unit_of_work(state.db) as session:
        await enter_tenant(session, None, person.user)
        row = await person_row(session, person.user)
        await session.execute(text("SELECT 1"))
    assert row is not None
    assert row.totp_secret is not None
    vault = Vault(state.ring())
    assert vault.open(person.user, row.totp_secret).decode() == person.seed
    other = row.totp_secret[:-1] + bytes([row.totp_secret[-1] ^ 1])
    for owner, sealed in ((new_id(), row.totp_secret), (person.user, other), (person.user, b"")):
        with pytest.raises(SealBroken):
            vault.open(owner, sealed)
