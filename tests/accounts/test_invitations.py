"""B11, B13: an offer is for one address, good for a week, taken once."""

import asyncio
import secrets

import httpx
import pytest

from tests.accounts.browser import PASSWORD, Browser, Person, as_ops, job_of, make_person
from tests.factories import Firm
from zena.accounts.jobs import mail_invitation
from zena.accounts.permissions import Role
from zena.kit.mail import NullMailer
from zena.kit.state import State

NEWCOMER = {"name": "Hoa Lê", "password": PASSWORD}


def address() -> str:
    return f"{secrets.token_hex(6)}@guest.test"


async def invite(firm: Firm, http: httpx.AsyncClient, email: str, role: str = "member", by: str = "owner") -> str:
    """Invite an address and return the link's token."""
    answer = await firm.client(http, by).post("/api/v1/app/invitations", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"].rpartition("/")[2])


async def test_a_newcomer_joins_and_is_signed_in(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, state: State
) -> None:
    email = address()
    token = await invite(firm, http, email.upper(), "pm")
    seen = await browser.api("POST", "auth/invitation", {"token": token})
    assert (seen.json()["email"], seen.json()["role"]) == (email, "pm")
    joined = await browser.api("POST", "auth/invitation/account", {"token": token, **NEWCOMER})
    assert joined.status_code == 201
    assert joined.json()["role"] == "pm"
    assert (await browser.api("GET", "me")).json()["tenant"] == str(firm.tenant)
    events = await as_ops(state, "SELECT type FROM event WHERE tenant_id = :t ORDER BY position", t=firm.tenant)
    assert [row.type for row in events] == [
        "invitation.created",
        "membership.joined",
        "invitation.accepted",
        "access.signed_in",
    ]


async def test_somebody_with_an_account_joins_by_the_page(
    firm: Firm, stranger: Firm, http: httpx.AsyncClient, browser: Browser, state: State
) -> None:
    person = await make_person(state, stranger)
    token = await invite(firm, http, person.email)
    link = f"/invitation/{token}"
    assert 'href="/sign-in?next=/invitation/' in (await browser.get(link)).text
    taken = await browser.form(link, link, NEWCOMER)
    assert taken.status_code == 422
    assert "has an account" in taken.text
    await browser.sign_in(person)
    before = browser.cookie
    joined = await browser.form(link, link, {})
    assert joined.headers["location"] == "/"
    assert browser.cookie != before
    assert (await browser.api("GET", "me")).json()["tenant"] == str(firm.tenant)


async def test_B11_an_invitation_is_for_its_address_only(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, person: Person
) -> None:
    token = await invite(firm, http, address())
    await browser.sign_in(person)
    refused = await browser.api("POST", "auth/invitation/acceptance", {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (403, "INVITATION_FOR_ANOTHER")
    page = await browser.get(f"/invitation/{token}")
    assert "another address" in page.text


@pytest.mark.parametrize("fate", ["used", "declined", "revoked", "expired", "renewed", "unknown"])
async def test_B11_a_link_that_is_over_opens_nothing(
    fate: str, firm: Firm, http: httpx.AsyncClient, browser: Browser, state: State
) -> None:
    email = address()
    token = await invite(firm, http, email)
    owner = firm.client(http)
    number = (await owner.get("/api/v1/app/invitations")).json()["data"][0]["id"]
    if fate == "used":
        await browser.api("POST", "auth/invitation/account", {"token": token, **NEWCOMER})
    elif fate == "declined":
        assert (await browser.api("POST", "auth/invitation/refusal", {"token": token})).status_code == 204
    elif fate == "revoked":
        assert (await owner.delete(f"/api/v1/app/invitations/{number}")).status_code == 204
    elif fate == "expired":
        await as_ops(state, "UPDATE invitation SET expires_at = now() WHERE email = :e", e=email)
    elif fate == "renewed":
        assert (await owner.post(f"/api/v1/app/invitations/{number}/delivery")).status_code == 200
    else:
        token = secrets.token_urlsafe(32)
    for path, body in (
        ("auth/invitation", {}),
        ("auth/invitation/account", NEWCOMER),
        ("auth/invitation/refusal", {}),
    ):
        answer = await browser.api("POST", path, {"token": token, **body})
        assert (answer.status_code, answer.json()["code"]) == (404, "INVITATION_GONE")
    assert (await browser.get(f"/invitation/{token}")).status_code == 404


async def test_B13_of_fifty_parallel_acceptances_one_succeeds(
    firm: Firm, http: httpx.AsyncClient, app: object, state: State
) -> None:
    email = address()
    token = await invite(firm, http, email)

    async def accept(number: int) -> int:
        async with Browser(app) as browser:
            body = {"token": token, "name": f"Hoa {number}", "password": f"{PASSWORD}-{number}"}
            return (await browser.api("POST", "auth/invitation/account", body)).status_code

    statuses = await asyncio.gather(*(accept(number) for number in range(50)))
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 404, 409, 503}  # 503: waited too long for a connection
    made = await as_ops(state, "SELECT count(*) AS n FROM membership WHERE tenant_id = :t", t=firm.tenant)
    assert made[0].n == len(Role) + 1


async def test_one_open_invitation_per_address(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    email = address()
    await invite(firm, http, email)
    owner = firm.client(http)
    again = await owner.post("/api/v1/app/invitations", json={"email": email, "role": "viewer"})
    assert (again.status_code, again.json()["code"]) == (409, "INVITATION_PENDING")
    await as_ops(state, "UPDATE invitation SET expires_at = now() WHERE email = :e", e=email)
    await invite(firm, http, email)
    listed = (await owner.get("/api/v1/app/invitations")).json()["data"]
    assert sorted(offer["state"] for offer in listed) == ["expired", "pending"]


async def test_a_member_is_not_invited_again(firm: Firm, http: httpx.AsyncClient, person: Person) -> None:
    body = {"email": person.email, "role": "viewer"}
    answer = await firm.client(http).post("/api/v1/app/invitations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "ALREADY_MEMBER")


async def test_B05_an_admin_invites_no_owner(firm: Firm, http: httpx.AsyncClient) -> None:
    body = {"email": address(), "role": "owner"}
    refused = await firm.client(http, "admin").post("/api/v1/app/invitations", json=body)
    assert (refused.status_code, refused.json()["details"]) == (403, {"permission": "ownership.transfer"})
    token = await invite(firm, http, address(), "owner")
    listed = (await firm.client(http, "admin").get("/api/v1/app/invitations")).json()["data"]
    answer = await firm.client(http, "admin").post(f"/api/v1/app/invitations/{listed[0]['id']}/delivery")
    assert answer.status_code == 403
    assert token


async def test_whoever_left_joins_again_as_the_same_member(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, person: Person
) -> None:
    owner = firm.client(http)
    assert (await owner.delete(f"/api/v1/app/members/{person.member}")).status_code == 204
    token = await invite(firm, http, person.email, "viewer")
    await browser.sign_in(person)
    joined = await browser.api("POST", "auth/invitation/acceptance", {"token": token})
    assert joined.json()["role"] == "viewer"
    assert (await browser.api("GET", "me")).json()["member"] == str(person.member)


async def test_the_link_is_shown_once_where_nobody_sends_mail(firm: Firm, http: httpx.AsyncClient) -> None:
    from tests.accounts.test_members import form_of

    email = address()
    answer = await form_of(firm, http, "owner", "/invitations", {"email": email, "role": "member"})
    assert answer.status_code == 200
    assert "https://zena.test/invitation/" in answer.text
    again = await firm.client(http).get("/members")
    assert email in again.text
    assert "/invitation/" not in again.text


async def test_a_replayed_request_does_not_show_the_link_again(firm: Firm, http: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": secrets.token_hex(8)}
    body = {"email": address(), "role": "member"}
    first, second = [
        await firm.client(http).post("/api/v1/app/invitations", json=body, headers=headers) for _ in range(2)
    ]
    assert first.json()["link"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "link" not in second.json()


async def test_the_letter_carries_a_link_that_stands_nowhere_else(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = address()
    shown = await invite(firm, http, email)
    number = (await firm.client(http).get("/api/v1/app/invitations")).json()["data"][0]["id"]
    mailer = NullMailer()
    monkeypatch.setattr(state, "mail", mailer)
    from uuid import UUID

    await mail_invitation(job_of(state, "accounts.mail_invitation", firm.tenant), invitation_id=UUID(number))
    letter = mailer.sent[0]
    assert letter.to == email
    link = next(line for line in letter.text.splitlines() if line.startswith("https://"))
    mailed = link.rpartition("/")[2]
    assert (await browser.api("POST", "auth/invitation", {"token": shown})).status_code == 404
    assert (await browser.api("POST", "auth/invitation", {"token": mailed})).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"email": "no address", "role": "member"}, "email"),
        ({"email": "a@b.test,c@d.test", "role": "member"}, "email"),
        ({"email": "a@b.test", "role": "emperor"}, "role"),
        ({"email": ["a@b.test"], "role": "member"}, "email"),
        ({"role": "member"}, "email"),
        ({"email": "a@b.test", "role": "member", "tenant_id": "x"}, "tenant_id"),
    ],
)
async def test_bad_wishes_name_their_field(body: object, path: str, firm: Firm, http: httpx.AsyncClient) -> None:
    answer = await firm.client(http).post("/api/v1/app/invitations", json=body)
    assert answer.status_code == 422
    assert [field["path"] for field in answer.json()["details"]["fields"]] == [path]
