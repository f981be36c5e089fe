"""A firm with one person per role, each signed in, without the cost of hashing passwords."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from zena.accounts.permissions import Role, permissions_of
from zena.kit.db import Database, raw
from zena.kit.ids import new_id
from zena.kit.scope import Scope
from zena.kit.uow import enter_tenant, unit_of_work

ROLES = tuple(Role)
COOKIE = "__Host-zena"
_FIRM = """
INSERT INTO tenant (id, name, slug) VALUES ('{0.tenant}', 'Firm ' || right('{0.slug}', 4), '{0.slug}');
INSERT INTO tenant_head (tenant_id) VALUES ('{0.tenant}')"""
_PERSON = """
SELECT set_config('app.user', '{who.user}', true);
INSERT INTO user_account (id, email, name) VALUES ('{who.user}', '{who.email}', '{name}');
INSERT INTO membership (tenant_id, id, user_id, role, is_default)
VALUES ('{firm.tenant}', '{who.member}', '{who.user}', '{who.role}', true);
INSERT INTO session (id, user_id, token_hash, form_secret, active_tenant, expires_at, idle_seconds)
VALUES ('{who.session}', '{who.user}', '\\x{digest}', '\\x{secret}', '{firm.tenant}',
        now() + interval '1 day', 86400)"""


@dataclass(slots=True)
class Caller:
    """One person of a firm with a live session."""

    user: UUID
    member: UUID
    email: str
    role: Role
    session: UUID
    cookie: str
    form_secret: bytes

    @property
    def headers(self) -> dict[str, str]:
        """What a browser of ours sends along."""
        return {"cookie": f"{COOKIE}={self.cookie}", "sec-fetch-site": "same-origin"}


@dataclass(slots=True)
class Firm:
    """A tenant and its people by role."""

    tenant: UUID
    slug: str
    people: dict[Role, Caller] = field(default_factory=dict)

    def scope(self, role: str = "owner", **changes: Any) -> Scope:
        """Return what an action is given when this role acts."""
        caller = self.people[Role(role)]
        values: dict[str, Any] = {
            "tenant": self.tenant,
            "member": caller.member,
            "user": caller.user,
            "role": caller.role,
            "permissions": permissions_of(caller.role),
            "timezone": "Asia/Ho_Chi_Minh",
            "tenant_slug": self.slug,
        }
        return Scope(**(values | changes))

    def client(self, http: httpx.AsyncClient, role: str = "owner") -> "As":
        return As(http, self.people[Role(role)])


@dataclass(slots=True)
class As:
    """An HTTP client that speaks as one person (or, with None, as nobody)."""

    http: httpx.AsyncClient
    caller: Caller | None

    async def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        headers = (self.caller.headers if self.caller else {"sec-fetch-site": "same-origin"}) | options.pop(
            "headers", {}
        )
        self.http.cookies.clear()  # one client serves all callers: it must not keep what one of them was given
        return await self.http.request(method, url, headers=headers, **options)

    async def get(self, url: str, **options: Any) -> httpx.Response:
        return await self.send("GET", url, **options)

    async def post(self, url: str, **options: Any) -> httpx.Response:
        return await self.send("POST", url, **options)

    async def patch(self, url: str, **options: Any) -> httpx.Response:
        return await self.send("PATCH", url, **options)

    async def put(self, url: str, **options: Any) -> httpx.Response:
        return await self.send("PUT", url, **options)

    async def delete(self, url: str, **options: Any) -> httpx.Response:
        return await self.send("DELETE", url, **options)


async def make_firm(db: Database, *, roles: tuple[Role, ...] = ROLES) -> Firm:
    """Create a tenant with one signed-in person for each role.

    In one message, for most tests begin with this: every value is of our making and needs no quoting.
    """
    firm = Firm(new_id(), f"firm-{secrets.token_hex(5)}")
    firm.people = {role: _person(firm, role) for role in roles}
    async with unit_of_work(db) as session:
        await enter_tenant(session, firm.tenant)
        people = [_signed_in(firm, who) for who in firm.people.values()]
        await (await raw(session)).execute(";".join([_FIRM.format(firm), *people]))
    return firm


def _person(firm: Firm, role: Role) -> Caller:
    cookie = secrets.token_urlsafe(32)
    return Caller(new_id(), new_id(), f"{role}@{firm.slug}.test", role, new_id(), cookie, secrets.token_bytes(32))


def _signed_in(firm: Firm, who: Caller) -> str:
    name, digest = f"{who.role.title()} of {firm.slug[-4:]}", hashlib.sha256(who.cookie.encode()).hexdigest()
    return _PERSON.format(firm=firm, who=who, name=name, digest=digest, secret=who.form_secret.hex())
