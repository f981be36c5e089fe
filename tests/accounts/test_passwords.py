"""C05, C06, C10 and the rules of passwords."""

import asyncio
import secrets
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tests.accounts.browser import PASSWORD, Browser, Person, as_ops, job_of, make_person
from tests.factories import Firm
from zena.accounts.facade import issue_reset_link
from zena.accounts.jobs import mail_notice, mail_reset
from zena.accounts.passwords import check_new_password, hash_password, verify_password
from zena.accounts.passwords.common import is_common
from zena.accounts.passwords.hashing import DUMMY, HASHER
from zena.kit.errors import Invalid
from zena.kit.mail import Letter, MailRefused, NullMailer
from zena.kit.queue import RejectJob
from zena.kit.state import State

NEW_PASSWORD = "a-crane-lifts-27-beams"


async def _token(state: State, person: Person) -> str:
    link = await issue_reset_link(state.db, "https://zena.test", person.email)
    assert link is not None
    return link.rpartition("/")[2]


def test_C10_hashes_are_as_strong_as_promised() -> None:
    made = HASHER.hash("x")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not HASHER.check_needs_rehash(DUMMY)


@pytest.mark.parametrize(
    "password", ["x" * 64, "é" * 2048, "a\0b" + "c" * 10, "mật khẩu này dài", "e\u0301" * 8, "🏗️ crane 🏗️", " spaces "]
)
async def test_C10_passwords_are_kept_as_typed(password: str) -> None:
    stored = await hash_password(password)
    assert (await verify_password(stored, password)).right
    assert not (await verify_password(stored, password + " ")).right
    assert not (await verify_password(stored, password[:-1])).right
    assert not (await verify_password(None, password)).right


async def test_C10_a_weaker_hash_is_replaced_at_the_next_sign_in(
    state: State, browser: Browser, person: Person
) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    await as_ops(state, "UPDATE user_account SET password_hash = :h WHERE id = :u", h=weak, u=person.user)
    assert (await browser.sign_in(person)).status_code == 200
    kept = await as_ops(state, "SELECT password_hash FROM user_account WHERE id = :u", u=person.user)
    assert kept[0].password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await browser.sign_in(person)).status_code == 200


COMMON = """
password Password1! P@ssw0rd2024! 12345678 qwertyui iloveyou123 aaaaaaaa abcabcabc 19900101 vietnam2024 matkhau123
zxcvbnm1 admin123456 1qaz2wsx letmein2026 trustno1 dragon99 football1 00000000 11223344 abcd1234 1q2w3e4r passw0rd
987654321 123123123 superman1 01/02/1990 anhyeuem2024 xaydung123 construction1
"""


@pytest.mark.parametrize("password", COMMON.split())
def test_what_anybody_tries_first_is_refused(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "gantry-mortar-17", "nhà máy bê tông 5", "xK9#mQ2$", "thisisafinepassphrase"],
)
def test_no_rule_of_composition_refuses_a_good_password(password: str) -> None:
    check_new_password(password, "password", about=("anh@firm.test", "Anh Trần"))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short7!", "too_short"),
        ("é" * 2049, "too_long"),
        ("with-surrogate-\ud800", "characters"),
        ("Minh.Nguyen", "common"),
        ("minh.nguyen@firm.test1", "common"),
    ],
)
def test_a_refused_password_says_why(password: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_new_password(password, "password", about=("minh.nguyen@firm.test", "Minh Nguyen"))
    assert refused.value.fields[0].code == code


async def test_changing_the_password_ends_all_other_sessions(
    browser: Browser, other_browser: Browser, person: Person
) -> None:
    await browser.sign_in(person)
    await other_browser.sign_in(person)
    before = browser.cookie
    wrong = await browser.api("POST", "auth/password", {"current": "not-this-one", "new": NEW_PASSWORD})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "INVALID_CREDENTIALS")
    weak = await browser.api("POST", "auth/password", {"current": PASSWORD, "new": "password1"})
    assert weak.json()["details"]["fields"][0]["path"] == "new"
    done = await browser.api("POST", "auth/password", {"current": PASSWORD, "new": NEW_PASSWORD})
    assert done.status_code == 204
    assert browser.cookie != before
    assert await browser.is_signed_in()
    assert not await other_browser.is_signed_in()
    assert (await other_browser.sign_in(person)).status_code == 401
    person.password = NEW_PASSWORD
    assert (await other_browser.sign_in(person)).status_code == 200


async def test_a_reset_ends_every_session_and_link_and_signs_nobody_in(
    state: State, browser: Browser, other_browser: Browser, person: Person
) -> None:
    await other_browser.sign_in(person)
    token = await _token(state, person)
    weak = await browser.form(f"/reset/{token}", f"/reset/{token}", {"password": "password1"})
    assert weak.status_code == 422  # and the link is still good: nothing was used up
    done = await browser.form(f"/reset/{token}", f"/reset/{token}", {"password": NEW_PASSWORD})
    assert done.headers["location"] == "/sign-in"
    assert not await browser.is_signed_in()
    assert not await other_browser.is_signed_in()
    assert (await browser.get(f"/reset/{token}")).status_code == 404
    assert (await browser.sign_in(person)).status_code == 401
    person.password = NEW_PASSWORD
    assert (await browser.sign_in(person)).status_code == 200


async def test_C06_of_fifty_parallel_uses_one_succeeds(state: State, app: object, person: Person) -> None:
    token = await _token(state, person)
    passwords = [f"{NEW_PASSWORD}-{number}" for number in range(50)]

    async def use(password: str) -> int:
        async with Browser(app) as browser:
            return (
                await browser.api("POST", "auth/password/reset", {"token": token, "password": password})
            ).status_code

    statuses = await asyncio.gather(*(use(password) for password in passwords))
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 503}  # 503: waited too long for a connection


async def test_C06_a_dump_holds_no_token_and_old_links_die(state: State, browser: Browser, person: Person) -> None:
    first = await _token(state, person)
    second = await _token(state, person)
    rows = await as_ops(state, "SELECT token_hash FROM personal_link WHERE user_id = :u", u=person.user)
    assert [len(row.token_hash) for row in rows] == [32]
    assert not any(token.encode() in bytes(row.token_hash) for token in (first, second) for row in rows)
    body = {"token": first, "password": NEW_PASSWORD}
    assert (await browser.api("POST", "auth/password/reset", body)).status_code == 401
    await as_ops(state, "UPDATE personal_link SET expires_at = now() WHERE user_id = :u", u=person.user)
    assert (await browser.api("POST", "auth/password/reset", body | {"token": second})).status_code == 401


async def test_C06_a_sign_in_link_is_no_reset_link(state: State, browser: Browser, person: Person) -> None:
    from zena.accounts.facade import issue_sign_in_link

    link = await issue_sign_in_link(state.db, "https://zena.test", person.email)
    body = {"token": (link or "").rpartition("/")[2], "password": NEW_PASSWORD}
    assert (await browser.api("POST", "auth/password/reset", body)).status_code == 401


@pytest.mark.parametrize(
    "email",
    [
        ["a@b.test", "c@d.test"],
        "{0},evil@evil.test",
        "{0} evil@evil.test",
        "{0}\r\nBcc: evil@evil.test",
        "{0}\x00@evil.test",
        {"to": "a@b.test"},
        None,
        17,
        "a@[127.0.0.1]",
        "x" * 400 + "@b.test",
    ],
)
async def test_C05_a_reset_goes_to_one_address(email: Any, browser: Browser, person: Person) -> None:
    sent = email.format(person.email) if isinstance(email, str) else email
    answer = await browser.api("POST", "auth/password/reset-request", {"email": sent})
    assert answer.status_code == 422
    assert answer.json()["details"]["fields"][0]["path"].startswith("email")


async def _queued(state: State) -> list[Any]:
    return list(await as_ops(state, "SELECT payload FROM queue.pgqueuer WHERE entrypoint = 'accounts.mail_reset'"))


async def test_C05_C07_the_letter_goes_to_the_stored_address_and_the_answer_tells_nothing(
    state: State, app: object, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await as_ops(state, "DELETE FROM queue.pgqueuer WHERE entrypoint = 'accounts.mail_reset'")
    answers = []
    for email in (person.email.upper(), "nobody@people.test", f"ﬁ{person.email[1:]}"):
        async with Browser(app) as browser:
            answers.append((await browser.api("POST", "auth/password/reset-request", {"email": email})).status_code)
    assert answers[:2] == [202, 202]
    jobs = await _queued(state)
    assert len(jobs) == 2  # one each: whether there is such a person, the worker finds out
    mailer = NullMailer()
    monkeypatch.setattr(state, "mail", mailer)
    for job in jobs:
        user = next(value for value in _strings(msgspec.json.decode(bytes(job.payload))) if len(value) == 36)
        await mail_reset(job_of(state, "accounts.mail_reset"), user_id=UUID(user))
    assert [letter.to for letter in mailer.sent] == [person.email]
    assert "https://zena.test/reset/" in mailer.sent[0].text


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for inner in value.values() for found in _strings(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _strings(inner)]
    return [value] if isinstance(value, str) else []


async def test_an_address_gets_only_so_many_letters(state: State, app: object) -> None:
    email = f"{secrets.token_hex(6)}@people.test"
    before = len(await _queued(state))
    for _ in range(5):
        async with Browser(app) as browser:
            answer = await browser.api("POST", "auth/password/reset-request", {"email": email})
            assert answer.status_code == 202
    assert len(await _queued(state)) - before == 3


async def test_C04_links_point_to_the_configured_address(state: State, browser: Browser, firm: Firm) -> None:
    person = await make_person(state, firm)
    for headers in ({"x-forwarded-host": "evil.test"}, {"x-forwarded-proto": "http"}, {"forwarded": "host=evil.test"}):
        answer = await browser.api("POST", "auth/password/reset-request", {"email": person.email}, headers=headers)
        assert answer.status_code == 202
    refused = await browser.api(
        "POST", "auth/password/reset-request", {"email": person.email}, headers={"host": "evil.test"}
    )
    assert refused.status_code >= 400


async def test_a_change_is_told_by_a_letter(state: State, browser: Browser, person: Person, monkeypatch: Any) -> None:
    await browser.sign_in(person)
    await browser.api("POST", "auth/password", {"current": PASSWORD, "new": NEW_PASSWORD})
    jobs = await as_ops(state, "SELECT payload FROM queue.pgqueuer WHERE entrypoint = 'accounts.mail_notice'")
    assert any(str(person.user) in _strings(msgspec.json.decode(bytes(job.payload))) for job in jobs)
    mailer = NullMailer()
    monkeypatch.setattr(state, "mail", mailer)
    await as_ops(state, "UPDATE user_account SET locale = 'vi' WHERE id = :u", u=person.user)
    await mail_notice(job_of(state, "accounts.mail_notice"), user_id=person.user, kind="password_changed")
    assert [letter.to for letter in mailer.sent] == [person.email]
    assert "mật khẩu" in mailer.sent[0].text.lower()


async def test_a_letter_that_nobody_takes_is_held_not_repeated(
    state: State, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        async def send(self, letter: Letter) -> None:
            raise MailRefused("550")

    monkeypatch.setattr(state, "mail", Refusing())
    with pytest.raises(RejectJob):
        await mail_reset(job_of(state, "accounts.mail_reset"), user_id=person.user)
