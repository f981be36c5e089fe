"""One of two like firms in which a verb is tried: by form in the one, by JSON in the other."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from tests.accounts.browser import COOKIE, PASSWORD, Person, as_ops
from tests.conformance.crawl import PARAMETER, form_headers
from tests.conformance.scene import ANY_VERSION
from tests.factories.firms import As, Caller
from tests.matrix.world import Furnished, furnish
from zena.accounts.facade import issue_reset_link
from zena.accounts.passwords.hashing import HASHER
from zena.accounts.permissions import Role
from zena.kit.state import State

_VALUE = re.compile(r"\$(\w+)")


@dataclass(slots=True)
class Side:
    """A furnished firm and whoever acts in it."""

    state: State
    http: httpx.AsyncClient
    world: Furnished
    half_cookie: str = ""
    person: Person | None = None
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def made(cls, state: State, http: httpx.AsyncClient) -> "Side":
        side = cls(state, http, await furnish(state))
        people = side.world.firm.people
        side.ids = side.world.ids | {str(role): str(caller.member) for role, caller in people.items()}
        side.ids |= {f"{role}_email": caller.email for role, caller in people.items()}
        side.ids |= {f"{role}_user": str(caller.user) for role, caller in people.items()}
        side.ids["newcomer"] = f"{secrets.token_hex(8)}@guest.test"
        side.ids["other_task_key"] = f"{side.ids['project_key']}-2"
        return side

    @property
    def owner(self) -> Caller:
        return self.world.firm.people[Role.OWNER]

    def speaker(self, by: str) -> As:
        return As(self.http, None if by in {"nobody", "half"} else self.world.firm.people[Role(by)])

    def filled(self, value: Any) -> Any:
        """Return a body with every $name looked up."""
        if isinstance(value, Mapping):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        return _VALUE.sub(lambda match: self.ids[match[1]], value) if isinstance(value, str) else value

    def at(self, path: str) -> str:
        return PARAMETER.sub(lambda match: self.ids[match[1]], path)

    async def form(self, route: str, form: Mapping[str, Any], by: str, files: Any = None) -> httpx.Response:
        method, _, path = route.partition(" ")
        speaker = self.speaker(by)
        options: dict[str, Any] = {"files": files} if files else {"data": self.filled(form)}
        if not files and not form:
            options["headers"] = {"content-type": "application/x-www-form-urlencoded"}
        headers = options.pop("headers", {}) | form_headers(speaker) | self._half(by)
        return await speaker.send(method, self.at(path), headers=headers, **options)

    async def json(self, route: str, body: Any, by: str, files: Any = None) -> httpx.Response:
        method, _, path = route.partition(" ")
        speaker = self.speaker(by)
        options: dict[str, Any] = {"json": self.filled(body)} if body is not None else {}
        headers = (ANY_VERSION if method == "PATCH" else {}) | self._half(by)
        if files:
            options, headers = {"files": files}, headers | form_headers(speaker)
        return await speaker.send(method, self.at(path), headers=headers, **options)

    async def tell(self, method: str, path: str, body: Any = None, by: str = "owner") -> Any:
        answer = await self.json(f"{method} {path}", body, by)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def _half(self, by: str) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.half_cookie}"} if by == "half" else {}

    async def passwords(self) -> None:
        """Everybody has a password."""
        users = [caller.user for caller in self.world.firm.people.values()]
        await as_ops(
            self.state,
            "UPDATE user_account SET password_hash = :hash WHERE id = ANY(:users)",
            hash=_hashed(),
            users=users,
        )

    async def begun(self) -> None:
        """The owner holds a seed, and the next code for it."""
        begun = await self.tell("POST", "/api/v1/me/mfa")
        self.person = Person(self.owner.user, self.owner.member, self.owner.email, seed=begun["secret"])
        self.ids["code"] = self.person.code(self.state)

    async def enrolled(self) -> None:
        """The owner's second factor is on."""
        await self.begun()
        await self.tell("POST", "/api/v1/me/mfa/confirmation", {"code": "$code"})

    async def half(self) -> None:
        """The owner has given the password and holds a code."""
        await self.passwords()
        await self.enrolled()
        answer = await self.json("POST /api/v1/auth/login", {"email": "$owner_email", "password": PASSWORD}, "nobody")
        self.half_cookie = answer.cookies[COOKIE]
        assert self.person
        self.ids["code"] = self.person.code(self.state)

    async def forgotten(self) -> None:
        """A member holds a link to choose a new password."""
        await self.passwords()
        link = await issue_reset_link(self.state.db, "https://zena.test", self.ids["member_email"])
        assert link
        self.ids["token"] = link.rpartition("/")[2]

    async def elsewhere(self) -> None:
        """The owner is signed in once more."""
        await self.passwords()
        await self.tell("POST", "/api/v1/auth/login", {"email": "$owner_email", "password": PASSWORD}, "nobody")

    async def empty(self) -> None:
        """A project without tasks."""
        made = await self.tell("POST", "/api/v1/app/projects", {"name": "Empty"})
        self.ids |= {"empty_id": made["id"], "empty_key": made["key"]}

    async def thrown(self) -> None:
        await self.empty()
        await self.tell("POST", "/api/v1/app/projects/{empty_id}/trash")

    async def revive(self, role: str) -> None:
        """Somebody who left is signed in once more, in no firm."""
        caller = self.world.firm.people[Role(role)]
        await as_ops(
            self.state,
            "UPDATE session SET revoked_at = NULL, token_hash = :hash, form_secret = :secret WHERE id = :id",
            hash=hashlib.sha256(caller.cookie.encode()).digest(),
            secret=caller.form_secret,
            id=caller.session,
        )


@cache
def _hashed() -> str:
    """Hash the one password once: it is slow on purpose."""
    return HASHER.hash(PASSWORD)
