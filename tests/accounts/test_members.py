"""B05, B13: who may change whom, and the owner who must remain."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.accounts.browser import Browser, Person, as_ops, make_person
from tests.factories import Firm
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.state import State

RANK = {role: place for place, role in enumerate(Role)}


async def form_of(firm: Firm, http: httpx.AsyncClient, role: str, url: str, fields: Any) -> httpx.Response:
    """Send a form as somebody of the firm."""
    caller = firm.people[Role(role)]
    headers = {"x-zena-token": form_token(caller.form_secret), "accept": "text/html"}
    return await firm.client(http, role).post(url, data=fields, headers=headers)


async def change(firm: Firm, http: httpx.AsyncClient, by: str, member: object, role: str) -> httpx.Response:
    return await firm.client(http, by).patch(
        f"/api/v1/app/members/{member}", json={"role": role}, headers={"if-match": "*"}
    )


@pytest.mark.parametrize("wanted", list(Role))
@pytest.mark.parametrize("target", list(Role))
@pytest.mark.parametrize("actor", [Role.OWNER, Role.ADMIN])
async def test_B05_role_by_role(
    actor: Role, target: Role, wanted: Role, firm: Firm, http: httpx.AsyncClient, state: State
) -> None:
    """An owner gives every role to everybody else; an admin none above admin and to nobody above admin."""
    person = await make_person(state, firm, target)
    answer = await change(firm, http, actor, person.member, wanted)
    allowed = actor is Role.OWNER or Role.OWNER not in {target, wanted}
    assert answer.status_code == (200 if allowed else 403)
    rows = await as_ops(state, "SELECT role FROM membership WHERE id = :m", m=person.member)
    assert rows[0].role == (wanted if allowed else target)
    if not allowed:
        assert answer.json()["details"]["permission"] == "ownership.transfer"


@pytest.mark.parametrize("actor", [Role.PM, Role.MEMBER, Role.VIEWER, Role.CLIENT])
@pytest.mark.parametrize("wanted", [Role.OWNER, Role.CLIENT])
async def test_B05_others_change_nobody_and_not_themselves(
    actor: Role, wanted: Role, firm: Firm, http: httpx.AsyncClient
) -> None:
    for target in (firm.people[Role.MEMBER], firm.people[actor]):
        answer = await change(firm, http, actor, target.member, wanted)
        assert (answer.status_code, answer.json()["details"]) == (403, {"permission": "members.manage"})


@pytest.mark.parametrize("actor", [Role.OWNER, Role.ADMIN])
async def test_B05_nobody_changes_their_own_role(actor: Role, firm: Firm, http: httpx.AsyncClient) -> None:
    own = firm.people[actor].member
    answer = await change(firm, http, actor, own, "member")
    assert (answer.status_code, answer.json()["code"]) == (403, "OWN_ROLE")
    assert (await firm.client(http, actor).delete(f"/api/v1/app/members/{own}")).json()["code"] == "OWN_ROLE"


async def test_C01_a_new_role_means_signing_in_anew(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, person: Person
) -> None:
    await browser.sign_in(person)
    assert (await change(firm, http, "owner", person.member, "admin")).status_code == 200
    assert not await browser.is_signed_in()
    await browser.sign_in(person)
    assert (await browser.api("GET", "me")).json()["role"] == "admin"


async def test_the_last_owner_stays(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    owner = firm.people[Role.OWNER]
    left = await firm.client(http).delete("/api/v1/app/membership")
    assert (left.status_code, left.json()["code"]) == (409, "LAST_OWNER")
    page = await form_of(firm, http, "owner", "/membership/departure", {})
    assert page.status_code == 422
    assert "no owner left" in page.text
    second = await make_person(state, firm, Role.OWNER)
    assert (await change(firm, http, "owner", second.member, "admin")).status_code == 200
    assert (await firm.client(http).delete("/api/v1/app/membership")).status_code == 409
    rows = await as_ops(state, "SELECT ended_at FROM membership WHERE id = :m", m=owner.member)
    assert rows[0].ended_at is None


async def test_B13_two_owners_who_demote_each_other_at_once_leave_one(firm: Firm, state: State, app: object) -> None:
    for _ in range(5):
        people = [await make_person(state, firm, Role.OWNER) for _ in range(2)]
        await as_ops(
            state,
            "UPDATE membership SET role = 'admin' WHERE tenant_id = :t AND role = 'owner' AND NOT id = ANY (:keep)",
            t=firm.tenant,
            keep=[person.member for person in people],
        )
        async with Browser(app) as first, Browser(app) as second:
            await first.sign_in(people[0])
            await second.sign_in(people[1])
            await asyncio.gather(
                *(
                    browser.api("PATCH", f"app/members/{other.member}", {"role": "viewer"}, headers={"if-match": "*"})
                    for browser, other in ((first, people[1]), (second, people[0]))
                )
            )
        left = await as_ops(
            state,
            "SELECT count(*) AS n FROM membership WHERE tenant_id = :t AND role = 'owner' AND ended_at IS NULL",
            t=firm.tenant,
        )
        assert left[0].n >= 1


async def test_B13_all_owners_leaving_at_once_leave_one(firm: Firm, state: State, app: object) -> None:
    people = [await make_person(state, firm, Role.OWNER) for _ in range(4)]
    browsers = [Browser(app) for _ in people]
    for browser, person in zip(browsers, people, strict=True):
        await browser.sign_in(person)
    await as_ops(
        state,
        "UPDATE membership SET ended_at = now() WHERE id = :m AND tenant_id = :t",
        m=firm.people[Role.OWNER].member,
        t=firm.tenant,
    )
    answers = await asyncio.gather(*(browser.api("DELETE", "app/membership") for browser in browsers))
    assert sorted(answer.status_code for answer in answers) == [204, 204, 204, 409]
    for browser in browsers:
        await browser.client.aclose()


async def test_B10_a_removed_member_is_out_at_once(
    firm: Firm, http: httpx.AsyncClient, browser: Browser, person: Person
) -> None:
    await browser.sign_in(person)
    made = await browser.api(
        "POST", "app/tokens", {"name": "Crane", "scopes": ["members.view"], "expires_at": _in_a_month()}
    )
    token = {"authorization": f"Bearer {made.json()['secret']}"}
    assert (await http.get("/api/v1/app/members", headers=token)).status_code == 200
    assert (await firm.client(http, "admin").delete(f"/api/v1/app/members/{person.member}")).status_code == 204
    assert (await browser.api("GET", "app/members")).status_code == 403
    assert (await http.get("/api/v1/app/members", headers=token)).status_code == 401
    former = (await firm.client(http).get("/api/v1/app/members?ended=true")).json()["data"]
    assert [entry["id"] for entry in former] == [str(person.member)]


async def test_ownership_is_handed_over_in_one_step(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    target = firm.people[Role.PM]
    url = f"/api/v1/app/members/{target.member}/ownership"
    await as_ops(
        state,
        "UPDATE session SET authenticated_at = now() - interval '1 hour' WHERE id = :s",
        s=firm.people[Role.OWNER].session,
    )
    stale = await firm.client(http).post(url)
    assert (stale.status_code, stale.json()["code"]) == (403, "CONFIRMATION_REQUIRED")
    page = await form_of(firm, http, "owner", f"/members/{target.member}/ownership", {})
    assert page.headers["location"].startswith("/confirm?next=/members/")
    await as_ops(state, "UPDATE session SET authenticated_at = now() WHERE id = :s", s=firm.people[Role.OWNER].session)
    done = await firm.client(http).post(url)
    assert done.status_code == 200
    assert "set-cookie" in done.headers  # C01: one's own role has changed
    assert (await firm.client(http).get("/api/v1/me")).status_code == 401
    roles = await as_ops(state, "SELECT id, role FROM membership WHERE tenant_id = :t", t=firm.tenant)
    now = {row.id: row.role for row in roles}
    assert (now[target.member], now[firm.people[Role.OWNER].member]) == ("owner", "admin")


async def test_versions_keep_two_editors_apart(firm: Firm, http: httpx.AsyncClient) -> None:
    member = firm.people[Role.VIEWER].member
    owner = firm.client(http)
    url = f"/api/v1/app/members/{member}"
    seen = (await owner.get(url)).headers["etag"]
    assert (await owner.patch(url, json={"role": "pm"})).status_code == 428
    assert (await owner.patch(url, json={"role": "pm"}, headers={"if-match": seen})).status_code == 200
    stale = await owner.patch(url, json={"role": "member"}, headers={"if-match": seen})
    assert stale.status_code == 412
    assert stale.json()["details"]["current"]["role"] == "pm"
    assert (await owner.patch(url, json={"role": "pm"}, headers={"if-match": "soon"})).status_code == 422


async def test_members_come_in_pages_by_name(firm: Firm, http: httpx.AsyncClient) -> None:
    owner = firm.client(http)
    names: list[str] = []
    url = "/api/v1/app/members?limit=2"
    while url:
        answer = (await owner.get(url)).json()
        names += [entry["name"] for entry in answer["data"]]
        following = answer["page"]["next"]
        url = f"/api/v1/app/members?limit=2&cursor={following}" if following else ""
    assert len(names) == len(Role)
    tampered = await owner.get("/api/v1/app/members?cursor=AAAA")
    assert tampered.json()["details"]["fields"][0]["path"] == "cursor"
    assert (await owner.get("/api/v1/app/members?limit=0")).status_code == 422
    assert (await owner.get("/api/v1/app/members?order=x")).status_code == 422
    found = (await owner.get("/api/v1/app/members", params={"q": "view", "role": "viewer"})).json()["data"]
    assert [entry["role"] for entry in found] == ["viewer"]
    assert (await owner.get("/api/v1/app/members", params={"q": "%"})).json()["data"] == []


async def test_only_managers_learn_when_somebody_signed_in(firm: Firm, http: httpx.AsyncClient) -> None:
    for role, told in (("admin", True), ("member", False)):
        entry = (await firm.client(http, role).get("/api/v1/app/members")).json()["data"][0]
        assert ("last_login_at" in entry) is told


async def test_a_refused_role_shows_beside_its_form(firm: Firm, http: httpx.AsyncClient) -> None:
    member = firm.people[Role.MEMBER].member
    answer = await form_of(firm, http, "admin", f"/members/{member}/role", {"role": "owner", "version": "1"})
    assert answer.status_code == 422
    assert "ownership.transfer" in answer.text
    stale = await form_of(firm, http, "admin", f"/members/{member}/role", {"role": "pm", "version": "99"})
    assert stale.status_code == 422
    assert "Somebody changed this meanwhile" in stale.text


def _in_a_month() -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=30)).isoformat()
