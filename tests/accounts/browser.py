"""People with passwords, and browsers of their own: a cookie jar, an address, forms sent as a page would send them."""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self
from uuid import UUID

import httpx
import pyotp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.factories import Firm
from zena.accounts.actions.people import create_user
from zena.accounts.facade import add_member, member_scope
from zena.accounts.passwords.hashing import HASHER
from zena.accounts.permissions import Role
from zena.kit.db import sqlalchemy_url
from zena.kit.queue import JobWork
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work
from zena.settings import Role as DatabaseRole

PASSWORD = "gantry-mortar-17"
ORIGIN = "https://zena.test"
COOKIE = "__Host-zena"
_TOKEN = re.compile(r'name="_token" value="([^"]+)"')
_addresses = itertools.count(1)
#: Seconds for which an authenticator shows one code, and those that a code may need to be typed and sent.
_STEP, _ON_ITS_WAY = 30, 3.0


@dataclass(slots=True)
class Person:
    """Somebody with a password and, after `enrol`, an authenticator app."""

    user: UUID
    member: UUID | None
    email: str
    password: str = PASSWORD
    seed: str = ""
    step: int = 0

    def code(self, state: State) -> str:
        """Return a code that was not used yet: each call takes the next step, at most one ahead of the clock.

        The oldest that is taken must not grow too old on its way: the last seconds of a step are waited out.
        """
        seconds = state.clock.now().timestamp()
        left = _STEP - seconds % _STEP
        if left < _ON_ITS_WAY and self.step < seconds // _STEP - 1:
            time.sleep(left + 0.01)
            seconds = state.clock.now().timestamp()
        now = int(seconds // _STEP)
        self.step = max(self.step + 1, now - 1)
        assert self.step <= now + 1, "this person used up the codes of this minute"
        return pyotp.TOTP(self.seed).at(self.step * _STEP)


@dataclass(slots=True)
class Browser:
    """One browser at one address. Unsafe requests say that they come from our own page."""

    app: Any
    ip: str = field(default_factory=lambda: f"198.18.{next(_addresses) // 250}.{next(_addresses) % 250 + 1}")
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(app=self.app, client=(self.ip, 40_000), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, timeout=30, headers={"sec-fetch-site": "same-origin"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    @property
    def cookie(self) -> str | None:
        return self.client.cookies.get(COOKIE)

    async def get(self, url: str, **options: Any) -> httpx.Response:
        return await self.client.get(url, **options)

    async def api(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.client.request(method, f"/api/v1/{path}", json=body, **options)

    async def form(self, page: str, action: str, fields: Any) -> httpx.Response:
        """Open a page, take its form token, send the form."""
        shown = await self.client.get(page)
        found = _TOKEN.search(shown.text)
        sent = {**fields, "_token": found[1]} if found else fields
        return await self.client.post(action, data=sent, headers={"accept": "text/html"})

    async def sign_in(self, person: Person, **headers: str) -> httpx.Response:
        body = {"email": person.email, "password": person.password}
        return await self.api("POST", "auth/login", body, headers=headers)

    async def is_signed_in(self) -> bool:
        return (await self.api("GET", "me")).status_code == httpx.codes.OK


async def make_person(state: State, firm: Firm | None = None, role: Role = Role.MEMBER) -> Person:
    """Make an account with a password, in a firm or in none."""
    email = f"{secrets.token_hex(6)}@people.test"
    async with unit_of_work(state.db) as session:
        user = await create_user(session, email=email, name="Minh Nguyễn", password_hash=_hashed())
        member = None
        if firm is not None:
            owner = firm.people[Role.OWNER]
            await enter_tenant(session, firm.tenant, owner.user)
            scope = await member_scope(session, tenant=firm.tenant, user=owner.user, at=state.clock.now())
            member = await add_member(session, scope, user=user, role=role)
    return Person(user, member, email)


@cache
def _hashed() -> str:
    """Hash the one password once: it is slow on purpose."""
    return HASHER.hash(PASSWORD)


async def enrol(state: State, browser: Browser, person: Person) -> list[str]:
    """Turn the second factor on in a signed-in browser; return the recovery codes."""
    begun = await browser.api("POST", "me/mfa")
    person.seed = begun.json()["secret"]
    done = await browser.api("POST", "me/mfa/confirmation", {"code": person.code(state)})
    assert done.status_code == httpx.codes.OK, done.text
    codes: list[str] = done.json()["recovery_codes"]
    return codes


async def as_ops(state: State, sql: str, **values: Any) -> Sequence[Any]:
    """Run a statement past all fences, as a test's hand of fate."""
    async with _ops(state.settings.dsn(DatabaseRole.OPS)).begin() as connection:
        result = await connection.execute(text(sql), values)
        return result.all() if result.returns_rows else []


@cache
def _ops(dsn: str) -> AsyncEngine:
    return create_async_engine(sqlalchemy_url(dsn))


async def age_confirmation(state: State, person: Person) -> None:
    """Let eleven minutes pass since this person proved who they are."""
    past = "UPDATE session SET authenticated_at = now() - interval '11 minutes' WHERE user_id = :user"
    await as_ops(state, past, user=person.user)


def job_of(state: State, name: str, tenant: UUID | None = None) -> JobWork:
    """Return what a job function of this slice is given."""
    return JobWork(state=state, job_id=1, name=name, tenant=tenant, attempt=1, attempts=5, slots=asyncio.Semaphore(1))
