"""Settings, profile, facade and the doorman."""

import httpx
import pytest

from tests.accounts.browser import Browser, Person, as_ops, make_person
from tests.accounts.test_members import form_of
from tests.factories import Firm
from zena.accounts.actions.firms import slug_of
from zena.accounts.doorman import Keeper
from zena.accounts.facade import create_tenant, create_user, find_member_by_email, member, members, team_numbers
from zena.accounts.permissions import Permission, Role
from zena.kit.errors import Conflict, Forbidden, Unauthorized
from zena.kit.realtime import Entrant
from zena.kit.realtime.doorman import NOT_ALLOWED, UNAUTHENTICATED
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"locale": "tlh"}, "locale"),
        ({"currency": "DOGE"}, "currency"),
        ({"currency": 17}, "currency"),
        ({"name": None}, "name"),
        ({"slug": "other"}, "slug"),
        ({"status": "active"}, "status"),
    ],
)
async def test_bad_settings_name_their_field_and_change_nothing(
    body: object, path: str, firm: Firm, http: httpx.AsyncClient
) -> None:
    owner = firm.client(http)
    before = (await owner.get("/api/v1/app/settings")).json()
    answer = await owner.patch("/api/v1/app/settings", json=body, headers={"if-match": "*"})
    assert answer.status_code == 422
    assert [field["path"] for field in answer.json()["details"]["fields"]] == [path]
    assert (await owner.get("/api/v1/app/settings")).json() == before


async def test_settings_are_changed_by_api_and_page(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    owner = firm.client(http)
    seen = await owner.get("/api/v1/app/settings")
    headers = {"if-match": seen.headers["etag"]}
    done = await owner.patch("/api/v1/app/settings", json={"name": "Bê tông Việt", "currency": "USD"}, headers=headers)
    assert (done.json()["name"], done.json()["version"]) == ("Bê tông Việt", 2)
    stale = await owner.patch("/api/v1/app/settings", json={"name": "Late"}, headers=headers)
    assert (stale.status_code, stale.json()["details"]["current"]["name"]) == (412, "Bê tông Việt")
    page = await form_of(firm, http, "owner", "/settings", {"name": "Bê tông Nam", "version": "2"})
    assert page.status_code == 303
    bad = await form_of(firm, http, "owner", "/settings", {"name": "", "timezone": "Asia/Tokyo", "version": "3"})
    assert bad.status_code == 422
    assert 'aria-invalid="true"' in bad.text
    changed = "SELECT payload FROM event WHERE tenant_id = :t AND type = 'tenant.settings_changed' ORDER BY position"
    events = await as_ops(state, changed, t=firm.tenant)
    assert len(events) == 2
    assert events[0].payload["after"] == {"name": "Bê tông Việt", "currency": "USD"}


async def test_the_same_values_again_are_no_change(firm: Firm, http: httpx.AsyncClient) -> None:
    owner = firm.client(http)
    before = (await owner.get("/api/v1/app/settings")).json()
    done = await owner.patch("/api/v1/app/settings", json={"name": before["name"]}, headers={"if-match": "*"})
    assert done.json() == before


async def test_one_changes_ones_own_profile(browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    seen = await browser.api("GET", "me")
    body = {"name": "  Minh\u0301 Trần ", "locale": "vi", "timezone": "Asia/Tokyo", "theme": "dark"}
    done = await browser.api("PATCH", "me", body, headers={"if-match": seen.headers["etag"]})
    assert done.json()["name"] == "Minh\u0301 Trần"
    stale = await browser.api("PATCH", "me", {"name": "Late"}, headers={"if-match": seen.headers["etag"]})
    assert stale.status_code == 412
    assert (await browser.get("/profile")).text.startswith('<!doctype html>\n<html lang="vi"')
    bad = await browser.form("/profile", "/profile", {"name": "", "locale": "vi", "timezone": "Asia/Tokyo"})
    assert bad.status_code == 422
    done = await browser.form("/profile", "/profile", {"name": "Minh", "locale": "", "timezone": ""})
    assert done.status_code == 303
    told = (await browser.api("GET", "me")).json()["user"]
    assert (told["name"], told["locale"], told["timezone"], told["theme"]) == ("Minh", None, None, "dark")


@pytest.mark.parametrize("text", ['"><img src=x onerror=alert(1)>', "<script>alert(1)</script>"])
async def test_D03_a_name_stays_text_everywhere(text: str, browser: Browser, person: Person, firm: Firm) -> None:
    await browser.sign_in(person)
    assert (await browser.api("PATCH", "me", {"name": text}, headers={"if-match": "*"})).status_code == 200
    for page in ("/members", "/profile", "/profile/tokens", "/firms", "/profile/security"):
        shown = (await browser.get(page)).text
        assert text not in shown
        assert "49" not in shown or text != "{{ 7*7 }}" or "{{ 7*7 }}".replace(" ", "") not in shown


def test_a_short_name_is_made_from_the_name() -> None:
    assert slug_of("Xây dựng Đại Phát") == "xay-dung-dai-phat"
    assert slug_of("株式会社").startswith("firm-")
    assert len(slug_of("a" * 300)) <= 40


async def test_a_taken_short_name_gets_another_or_is_refused(state: State, firm: Firm) -> None:
    owner = firm.people[Role.OWNER].user
    async with unit_of_work(state.db) as session:
        made = await create_tenant(session, name=firm.slug, owner=owner, at=state.clock.now())
    assert made.tenant_slug.startswith(f"{firm.slug}-")
    with pytest.raises(Conflict) as refused:
        async with unit_of_work(state.db) as session:
            await create_tenant(session, name="Other", slug=firm.slug, owner=owner, at=state.clock.now())
    assert firm.slug not in str(refused.value.details)


async def test_an_address_has_one_account(state: State, person: Person) -> None:
    for email in (person.email, person.email.upper(), f" {person.email} "):
        with pytest.raises(Conflict):
            async with unit_of_work(state.db) as session:
                await create_user(session, email=email, name="Twin")


async def test_the_facade_knows_the_members(state: State, firm: Firm, stranger: Firm, person: Person) -> None:
    scope = firm.scope()
    async with unit_of_work(state.db) as session:
        await enter_tenant(session, firm.tenant, scope.user)
        cards = await members(session, scope)
        assert len(cards) == len(Role) + 1
        assert [card.initials for card in cards if card.id == person.member] == ["MN"]
        found = await find_member_by_email(session, scope, person.email.upper())
        assert found is not None
        assert found.id == person.member
        assert await find_member_by_email(session, scope, stranger.people[Role.OWNER].email) is None
        assert await member(session, scope, stranger.people[Role.OWNER].member) is None
        numbers = await team_numbers(session, scope)
    assert (numbers.total, numbers.active, numbers.signed_in_7d) == (len(Role) + 1, len(Role) + 1, 0)
    assert numbers.by_role["member"] == 2


async def test_G03_the_doorman_sends_away_who_lost_access(
    state: State, firm: Firm, http: httpx.AsyncClient, browser: Browser, person: Person
) -> None:
    keeper = Keeper(state.db, state.clock)
    await browser.sign_in(person)
    entrant = await keeper.by_ticket((await browser.api("POST", "auth/ticket")).json()["ticket"])
    assert await keeper.lapsed([entrant]) == {}
    other = await make_person(state, firm, Role.ADMIN)
    admin = await _entrant(state, browser, other)
    gone = await _entrant(state, browser, person)
    await browser.api("POST", "auth/logout")
    await as_ops(state, "UPDATE membership SET role = 'viewer' WHERE id = :m", m=other.member)
    await firm.client(http).delete(f"/api/v1/app/members/{person.member}")
    lapsed = await keeper.lapsed([entrant, admin, gone])
    assert lapsed == {gone.key: UNAUTHENTICATED, entrant.key: NOT_ALLOWED, admin.key: NOT_ALLOWED}
    with pytest.raises(Unauthorized):
        await keeper.by_ticket("used")
    with pytest.raises(Unauthorized):
        await keeper.by_token("zat_unknown")


async def test_a_suspended_firm_opens_no_socket(state: State, browser: Browser, person: Person, firm: Firm) -> None:
    keeper = Keeper(state.db, state.clock)
    await browser.sign_in(person)
    ticket = (await browser.api("POST", "auth/ticket")).json()["ticket"]
    await as_ops(state, "UPDATE tenant SET status = 'suspended' WHERE id = :t", t=firm.tenant)
    with pytest.raises(Forbidden):
        await keeper.by_ticket(ticket)


async def test_every_permission_of_a_role_is_known() -> None:
    from zena.accounts.permissions import ROLE_PERMISSIONS

    assert {permission for held in ROLE_PERMISSIONS.values() for permission in held} == set(Permission)


async def _entrant(state: State, browser: Browser, person: Person) -> Entrant:
    browser.client.cookies.clear()
    await browser.sign_in(person)
    ticket = (await browser.api("POST", "auth/ticket")).json()["ticket"]
    return await Keeper(state.db, state.clock).by_ticket(ticket)


async def test_the_colours_follow_the_person_to_a_new_browser(
    browser: Browser, other_browser: Browser, person: Person
) -> None:
    fields = {"email": person.email, "password": person.password}
    await browser.form("/sign-in", "/sign-in", fields)
    browser.client.cookies.set("zena_look", "contrast.light", domain="zena.test", path="/")
    await browser.form("/profile", "/profile", {"name": "Minh", "theme": "dark"})
    assert 'data-theme="dark" data-contrast="more"' in (await browser.get("/profile")).text
    await other_browser.form("/sign-in", "/sign-in", fields)
    assert 'data-theme="dark"' in (await other_browser.get("/profile")).text


async def test_whoever_came_by_a_link_chooses_a_first_password(firm: Firm, http: httpx.AsyncClient) -> None:
    """People of the factory have none; their sessions are fresh."""
    assert "Present password" not in (await firm.client(http, "pm").get("/profile/security")).text
    done = await form_of(firm, http, "pm", "/profile/password", {"new": "a-crane-lifts-27-beams"})
    assert done.status_code == 303
