"""C03, C01 and the firm switcher: one's own sessions."""

from uuid import uuid4

import httpx
import pytest

from tests.accounts.browser import COOKIE, Browser, Person, age_confirmation, as_ops, job_of, make_person
from tests.factories import Firm
from zena.accounts.facade import add_member, issue_sign_in_link, member_scope
from zena.accounts.jobs import sweep
from zena.accounts.permissions import Role
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work


async def _joins(state: State, person: Person, firm: Firm, role: Role = Role.VIEWER) -> None:
    owner = firm.people[Role.OWNER]
    async with unit_of_work(state.db) as session:
        await enter_tenant(session, firm.tenant, owner.user)
        scope = await member_scope(session, tenant=firm.tenant, user=owner.user, at=state.clock.now())
        await add_member(session, scope, user=person.user, role=role)


async def test_one_sees_where_one_is_signed_in_and_ends_it(
    browser: Browser, other_browser: Browser, person: Person
) -> None:
    await browser.sign_in(person)
    await other_browser.sign_in(person)
    listed = (await browser.api("GET", "me/sessions")).json()["data"]
    assert [entry["is_current"] for entry in listed].count(True) == 1
    assert {entry["ip"] for entry in listed} == {browser.ip, other_browser.ip}
    other = next(entry["id"] for entry in listed if not entry["is_current"])
    assert (await browser.api("DELETE", f"me/sessions/{other}")).status_code == 204
    assert not await other_browser.is_signed_in()
    assert await browser.is_signed_in()
    assert (await browser.api("DELETE", f"me/sessions/{other}")).status_code == 404


async def test_C03_nobody_ends_the_session_of_somebody_else(
    state: State, browser: Browser, other_browser: Browser, person: Person, firm: Firm
) -> None:
    victim = await make_person(state, firm)
    await other_browser.sign_in(victim)
    await browser.sign_in(person)
    theirs = (await other_browser.api("GET", "me/sessions")).json()["data"][0]["id"]
    refused = await browser.api("DELETE", f"me/sessions/{theirs}")
    missing = await browser.api("DELETE", f"me/sessions/{uuid4()}")
    assert refused.status_code == missing.status_code == 404
    assert refused.json()["detail"] == missing.json()["detail"]
    assert await other_browser.is_signed_in()


async def test_ending_all_others_keeps_this_one(browser: Browser, other_browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    await other_browser.sign_in(person)
    answer = await browser.form("/profile/security", "/profile/sessions/end", {})
    assert answer.status_code == 303
    assert not await other_browser.is_signed_in()
    assert await browser.is_signed_in()


async def test_C01_switching_the_firm_changes_the_value(
    state: State, app: object, browser: Browser, person: Person, firm: Firm, stranger: Firm
) -> None:
    await _joins(state, person, stranger)
    await browser.sign_in(person)
    before = browser.cookie
    firms = (await browser.api("GET", "me/tenants")).json()["data"]
    assert {entry["id"]: entry["is_current"] for entry in firms} == {
        str(firm.tenant): True,
        str(stranger.tenant): False,
    }
    answer = await browser.api("POST", f"me/tenants/{stranger.tenant}/activation")
    assert (answer.json()["tenant"], answer.json()["role"]) == (str(stranger.tenant), "viewer")
    assert browser.cookie != before
    async with Browser(app) as thief:
        thief.client.cookies.set(COOKIE, before or "", domain="zena.test", path="/")
        assert not await thief.is_signed_in()
    assert (await browser.api("GET", "me")).json()["tenant"] == str(stranger.tenant)
    await browser.sign_in(person)
    assert (await browser.api("GET", "me")).json()["tenant"] == str(stranger.tenant)  # where one was last


async def test_nobody_switches_to_a_firm_of_others(browser: Browser, person: Person, stranger: Firm) -> None:
    await browser.sign_in(person)
    refused = await browser.api("POST", f"me/tenants/{stranger.tenant}/activation")
    missing = await browser.api("POST", f"me/tenants/{uuid4()}/activation")
    assert refused.status_code == missing.status_code == 404
    assert refused.json()["detail"] == missing.json()["detail"]


async def test_the_absolute_end_does_not_move_with_the_value(
    state: State, browser: Browser, person: Person, firm: Firm
) -> None:
    await browser.sign_in(person)
    end = "SELECT expires_at FROM session WHERE user_id = :u AND revoked_at IS NULL"
    before = (await as_ops(state, end, u=person.user))[0].expires_at
    await browser.api("POST", f"me/tenants/{firm.tenant}/activation")
    await browser.api("POST", "auth/confirmation", {"password": person.password})
    assert (await as_ops(state, end, u=person.user))[0].expires_at == before


async def test_confirming_opens_what_time_has_closed(state: State, browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    await age_confirmation(state, person)
    assert (await browser.api("POST", "me/mfa")).json()["code"] == "CONFIRMATION_REQUIRED"
    sent = await browser.form("/profile/security", "/profile/second-factor", {})
    assert sent.headers["location"] == "/confirm?next=/profile/security"
    wrong = await browser.form("/confirm", "/confirm", {"password": "wrong-but-long", "next": "/profile/security"})
    assert wrong.status_code == 422
    before = browser.cookie
    done = await browser.form("/confirm", "/confirm", {"password": person.password, "next": "/profile/security"})
    assert done.headers["location"] == "/profile/security"
    assert browser.cookie != before
    assert (await browser.api("POST", "me/mfa")).status_code == 200


async def test_somebody_without_a_firm_is_told_so(state: State, browser: Browser) -> None:
    person = await make_person(state)
    answer = await browser.form("/sign-in", "/sign-in", {"email": person.email, "password": person.password})
    assert answer.headers["location"] == "/firms"
    assert person.email in (await browser.get("/firms")).text
    assert (await browser.get("/profile")).status_code == 200
    refused = await browser.api("GET", "app/members")
    assert (refused.status_code, refused.json()["code"]) == (403, "NO_TENANT_ACCESS")


async def test_a_sign_in_is_recorded_in_the_firm(state: State, browser: Browser, person: Person, firm: Firm) -> None:
    await browser.sign_in(person)
    entries = await as_ops(
        state, "SELECT actor, ip FROM audit_entry WHERE tenant_id = :t AND action = 'access.signed_in'", t=firm.tenant
    )
    assert [(row.actor, row.ip) for row in entries] == [(person.member, browser.ip)]


@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_one_time_link_signs_in_once_and_only_by_a_button(
    method: str, state: State, browser: Browser, person: Person
) -> None:
    link = await issue_sign_in_link(state.db, "https://zena.test", person.email)
    assert link is not None
    assert (await browser.get(link)).status_code == 200
    assert not await browser.is_signed_in()
    if method == "post":
        assert (await browser.form(link, link, {})).status_code == 303
        assert await browser.is_signed_in()
        assert (await browser.get(link)).status_code == httpx.codes.NOT_FOUND


async def test_H08_the_sweep_takes_what_nobody_can_use(
    state: State, browser: Browser, person: Person, firm: Firm, http: httpx.AsyncClient
) -> None:
    await browser.sign_in(person)
    await issue_sign_in_link(state.db, "https://zena.test", person.email)
    body = {"email": "late@guest.test", "role": "viewer"}
    await firm.client(http).post("/api/v1/app/invitations", json=body)
    await as_ops(
        state, "UPDATE personal_link SET expires_at = now() - interval '1 hour' WHERE user_id = :u", u=person.user
    )
    await as_ops(state, "UPDATE invitation SET expires_at = now() WHERE tenant_id = :t", t=firm.tenant)
    old = "UPDATE session SET revoked_at = now() - interval '91 days' WHERE user_id = :u"
    await as_ops(state, old, u=person.user)
    await sweep(job_of(state, "accounts.sweep"))
    assert await as_ops(state, "SELECT 1 FROM personal_link WHERE user_id = :u", u=person.user) == []
    assert await as_ops(state, "SELECT 1 FROM session WHERE user_id = :u", u=person.user) == []
    states = await as_ops(state, "SELECT state FROM invitation WHERE tenant_id = :t", t=firm.tenant)
    assert [row.state for row in states] == ["expired"]
    assert await as_ops(state, "SELECT 1 FROM session WHERE user_id = :u", u=firm.people[Role.OWNER].user)
