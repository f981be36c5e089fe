"""C12: a token works in one firm, within its scopes, until its end, and never as the person."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.accounts.browser import Browser, Person, age_confirmation, as_ops
from tests.factories import Firm
from zena.accounts.permissions import Permission, Role
from zena.kit.access import Access, Door
from zena.kit.state import State
from zena.main import routes_of


def wish(*scopes: str, days: float = 30, name: str = "Crane") -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(days=days)
    return {"name": name, "scopes": list(scopes), "expires_at": end.isoformat()}


async def token(firm: Firm, http: httpx.AsyncClient, role: str, *scopes: str) -> dict[str, str]:
    made = await firm.client(http, role).post("/api/v1/app/tokens", json=wish(*scopes))
    assert made.status_code == 201, made.text
    return {"authorization": f"Bearer {made.json()['secret']}"}


async def test_a_token_works_within_its_scopes(firm: Firm, http: httpx.AsyncClient) -> None:
    headers = await token(firm, http, "admin", Permission.MEMBERS_VIEW)
    assert (await http.get("/api/v1/app/members", headers=headers)).status_code == 200
    refused = await http.get("/api/v1/app/audit", headers=headers)
    assert (refused.status_code, refused.json()["details"]) == (403, {"permission": "audit.view"})
    told = (await http.get("/api/v1/me", headers=headers)).json()
    assert told["permissions"] == ["members.view"]


async def test_C12_a_token_belongs_to_one_firm(firm: Firm, stranger: Firm, http: httpx.AsyncClient) -> None:
    headers = await token(firm, http, "owner", Permission.MEMBERS_VIEW)
    theirs = stranger.people[Role.OWNER].member
    assert (await http.get(f"/api/v1/app/members/{theirs}", headers=headers)).status_code == 404
    listed = (await http.get("/api/v1/app/members", headers=headers)).json()["data"]
    assert str(theirs) not in {entry["id"] for entry in listed}


@pytest.mark.parametrize(
    "fate",
    [
        "UPDATE api_token SET expires_at = now() WHERE tenant_id = :t",
        "UPDATE api_token SET revoked_at = now() WHERE tenant_id = :t",
        "UPDATE membership SET ended_at = now() WHERE tenant_id = :t AND role = 'admin'",
        "UPDATE user_account SET is_active = false WHERE id IN (SELECT user_id FROM membership WHERE tenant_id = :t)",
    ],
)
async def test_C12_a_token_that_is_over_opens_nothing(
    fate: str, firm: Firm, http: httpx.AsyncClient, state: State
) -> None:
    headers = await token(firm, http, "admin", Permission.MEMBERS_VIEW)
    await as_ops(state, fate, t=firm.tenant)
    refused = await http.get("/api/v1/app/members", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "TOKEN_INVALID")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_C12_a_weaker_role_weakens_its_tokens(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    headers = await token(firm, http, "admin", Permission.AUDIT_VIEW, Permission.MEMBERS_VIEW)
    await as_ops(state, "UPDATE membership SET role = 'viewer' WHERE tenant_id = :t AND role = 'admin'", t=firm.tenant)
    assert (await http.get("/api/v1/app/audit", headers=headers)).status_code == 403
    assert (await http.get("/api/v1/app/members", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (wish(Permission.AUDIT_VIEW), "scopes[0]"),
        (wish(Permission.TASKS_VIEW, "tasks.everything"), "scopes[1]"),
        (wish(), "scopes"),
        (wish(Permission.TASKS_VIEW, days=-1), "expires_at"),
        (wish(Permission.TASKS_VIEW, days=400), "expires_at"),
        (wish(Permission.TASKS_VIEW, name=" "), "name"),
        (wish(Permission.TASKS_VIEW) | {"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        (wish(Permission.TASKS_VIEW) | {"expires_at": "never"}, "expires_at"),
        ({"name": "x", "scopes": ["tasks.view"]}, "expires_at"),
        (wish(Permission.TASKS_VIEW) | {"is_admin": True}, "is_admin"),
    ],
)
async def test_bad_wishes_name_their_field(body: object, path: str, firm: Firm, http: httpx.AsyncClient) -> None:
    answer = await firm.client(http, "member").post("/api/v1/app/tokens", json=body)
    assert answer.status_code == 422
    assert [field["path"] for field in answer.json()["details"]["fields"]] == [path]


async def test_a_token_is_made_after_a_fresh_confirmation(state: State, browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    await age_confirmation(state, person)
    refused = await browser.api("POST", "app/tokens", wish(Permission.TASKS_VIEW))
    assert refused.json()["code"] == "CONFIRMATION_REQUIRED"


async def test_the_secret_is_shown_once_and_stored_nowhere(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    owner = firm.client(http)
    headers = {"idempotency-key": "one"}
    first = await owner.post("/api/v1/app/tokens", json=(body := wish(Permission.TASKS_VIEW)), headers=headers)
    again = await owner.post("/api/v1/app/tokens", json=body, headers=headers)
    secret = first.json()["secret"]
    assert secret.startswith("zat_")
    assert again.headers["idempotent-replayed"] == "true"
    assert "secret" not in again.json()
    listed = (await owner.get("/api/v1/app/tokens")).json()["data"]
    assert [entry["prefix"] for entry in listed] == [secret[:10]]
    for table in ("api_token", "event", "audit_entry", "idempotency_key"):
        rows = await as_ops(state, f"SELECT t::text AS row FROM {table} t WHERE tenant_id = :t", t=firm.tenant)  # noqa: S608 - our own names; values are bound
        assert rows
        assert not any(secret[10:] in row.row for row in rows)


async def test_one_revokes_ones_own_and_managers_everybodys(firm: Firm, http: httpx.AsyncClient) -> None:
    await token(firm, http, "member", Permission.TASKS_VIEW)
    mine = (await firm.client(http, "member").get("/api/v1/app/tokens")).json()["data"][0]["id"]
    url = f"/api/v1/app/tokens/{mine}"
    assert (await firm.client(http, "pm").delete(url)).status_code == 403
    everyone = await firm.client(http, "pm").get("/api/v1/app/tokens?everyone=true")
    assert (everyone.status_code, everyone.json()["details"]) == (403, {"permission": "tokens.manage"})
    listed = (await firm.client(http, "admin").get("/api/v1/app/tokens?everyone=true")).json()["data"]
    assert mine in {entry["id"] for entry in listed}
    assert (await firm.client(http, "admin").delete(url)).status_code == 204
    assert (await firm.client(http, "member").delete(url)).status_code == 404


PERSONAL = [
    ("PATCH", "me", {"name": "Somebody"}),
    ("GET", "me/sessions", None),
    ("DELETE", "me/sessions", None),
    ("POST", "me/mfa", None),
    ("DELETE", "me/mfa", None),
    ("POST", "me/mfa/confirmation", {"code": "123456"}),
    ("POST", "me/mfa/recovery-codes", None),
    ("POST", "auth/logout", None),
    ("POST", "auth/password", {"current": "x", "new": "a-crane-lifts-27-beams"}),
    ("POST", "auth/confirmation", {"password": "x"}),
    ("POST", "auth/invitation/acceptance", {"token": "dead"}),
    ("POST", "app/tokens", wish(Permission.TASKS_VIEW)),
    ("DELETE", "app/membership", None),
]


@pytest.mark.parametrize(("method", "path", "body"), PERSONAL)
async def test_C11_C12_a_token_is_not_the_person(
    method: str, path: str, body: object, firm: Firm, http: httpx.AsyncClient
) -> None:
    """Whoever finds a token cannot make it last, nor change how the account is entered."""
    headers = await token(firm, http, "owner", *(str(permission) for permission in Permission))
    answer = await http.request(method, f"/api/v1/{path}", json=body, headers=headers | {"if-match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_REQUIRED")


async def test_C12_every_route_of_a_person_that_changes_something_is_in_the_table(state: State) -> None:
    """A new one must be tried with a token above, or be one of those that a token may use or that nobody signs."""
    known = {(method, f"/api/v1/{path}") for method, path, _ in PERSONAL}
    by_id = {("DELETE", "/api/v1/me/sessions/{session_id}"), ("POST", "/api/v1/me/tenants/{tenant_id}/activation")}
    unsafe = {
        (method, path)
        for method, path, opt in routes_of(state)
        if _door(opt) is Door.PERSON and method != "GET" and path.startswith("/api/")
    }
    assert unsafe - known - by_id == set()


async def test_C12_the_two_with_ids_refuse_a_token_too(firm: Firm, http: httpx.AsyncClient) -> None:
    headers = await token(firm, http, "owner", Permission.TASKS_VIEW)
    session = firm.people[Role.OWNER].session
    for method, path in (("DELETE", f"me/sessions/{session}"), ("POST", f"me/tenants/{firm.tenant}/activation")):
        answer = await http.request(method, f"/api/v1/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_REQUIRED")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer nonsense", 401),
        ("Bearer", 401),
        ("Basic YTpi", 401),
        ("Bearer zat_" + "A" * 43, 401),
        ("Bearer " + "é", 401),
    ],
)
async def test_malformed_credentials_are_refused(header: str, status: int, http: httpx.AsyncClient) -> None:
    http.cookies.clear()
    answer = await http.get("/api/v1/me", headers={b"authorization": header.encode()})
    assert answer.status_code == status


def _door(opt: Any) -> Door | None:
    access = opt.get("access")
    return access.door if isinstance(access, Access) else None
