"""What stands between a person and signing in, link by link. For operators: nobody outside is ever told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError

from zena.accounts.queries.people import SERVED
from zena.accounts.throttling import code_key, network_of, sign_in_keys
from zena.accounts.vault import SealBroken, Vault
from zena.kit.db import Raw
from zena.settings import KeyRing

_PERSON: Final = """
SELECT u.id, u.email, u.name, u.is_active, u.is_operator, u.password_hash, u.totp_secret, u.totp_confirmed_at,
       u.created_at, u.last_login_at,
       (SELECT count(*) FROM recovery_code c WHERE c.user_id = u.id) AS recovery_codes,
       (SELECT count(*) FROM session s WHERE s.user_id = u.id AND s.stage = 'full' AND s.revoked_at IS NULL
           AND s.expires_at > now() AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now()) AS sessions
  FROM user_account u WHERE u.email = $1
"""
_FIRMS: Final = """
SELECT t.id, t.slug, t.status, m.role, m.is_default, m.ended_at,
       (SELECT count(*) FROM session s WHERE s.user_id = m.user_id AND s.active_tenant = t.id AND s.stage = 'full'
           AND s.revoked_at IS NULL AND s.expires_at > now()
           AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now()) AS sessions,
       m.role = 'owner' AND m.ended_at IS NULL AND NOT EXISTS (
         SELECT FROM membership o JOIN user_account u ON u.id = o.user_id AND u.is_active
          WHERE o.tenant_id = t.id AND o.role = 'owner' AND o.ended_at IS NULL AND o.user_id <> m.user_id) AS last_owner
  FROM membership m JOIN tenant t ON t.id = m.tenant_id WHERE m.user_id = $1 ORDER BY m.is_default DESC, t.slug
"""
_LINKS: Final = (
    "SELECT kind, expires_at FROM personal_link WHERE user_id = $1 AND expires_at > now() ORDER BY expires_at"
)
_NETWORKS: Final = "SELECT DISTINCT ip FROM session WHERE user_id = $1 AND ip IS NOT NULL ORDER BY ip LIMIT 100"
_WAITS: Final = "SELECT key, blocked_until FROM throttle WHERE key = ANY($1) AND blocked_until > now()"


@dataclass(frozen=True, slots=True)
class Link:
    """One condition of signing in: whether it holds, and what is found."""

    name: str
    holds: bool
    says: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account as an operator sees it. `waits`: until when attempts are refused, by what they are counted for."""

    id: UUID
    email: str
    name: str
    facts: dict[str, Any]
    firms: list[dict[str, Any]]
    links: list[dict[str, Any]]
    waits: dict[str, datetime]
    networks: list[str]

    @property
    def last_owner_of(self) -> list[str]:
        """The firms that have no other active owner."""
        return [firm["slug"] for firm in self.firms if firm["last_owner"]]


async def person_at(conn: Raw, secret: bytes, email: str, addresses: Sequence[str] = ()) -> Person | None:
    """Return who has a (folded) address; None if nobody. `addresses` are looked at besides those of past sessions."""
    row = await conn.fetchrow(_PERSON, email)
    if row is None:
        return None
    known = [record["ip"] for record in await conn.fetch(_NETWORKS, row["id"])]
    keys = counters(secret, email, row["id"], [*addresses, *known])
    blocked = {bytes(wait["key"]): wait["blocked_until"] for wait in await conn.fetch(_WAITS, list(keys))}
    return Person(
        row["id"],
        row["email"],
        row["name"],
        dict(row),
        [dict(firm) for firm in await conn.fetch(_FIRMS, row["id"])],
        [dict(link) for link in await conn.fetch(_LINKS, row["id"])],
        {what: blocked[key] for key, what in keys.items() if key in blocked},
        known,
    )


def counters(secret: bytes, email: str, user: UUID, addresses: Sequence[str]) -> dict[bytes, str]:
    """Return the counters that can make this person wait, each with what it counts."""
    found = {code_key(secret, str(user)): "second factor"}
    for address in addresses:
        narrow, network, _ = sign_in_keys(secret, email, network_of(address))
        found |= {narrow: f"this account from {address}", network: f"everybody from {address}"}
    found[sign_in_keys(secret, email, "")[2]] = "this account from anywhere"
    return found


_WHENCE: Final = "name where they try from with --ip; `zena logs --channel security --grep {}` has the addresses"


def chain(person: Person | None, ring: KeyRing) -> Iterator[Link]:
    """Yield what signing in asks, in its order."""
    if person is None:
        yield Link("exists", holds=False, says="nobody has this address; `zena user create` makes an account")
        return
    facts = person.facts
    yield Link("exists", holds=True, says=f"{person.name}, since {facts['created_at']:%Y-%m-%d}")
    active = facts["is_active"]
    says = "yes" if active else f"deactivated: `zena user activate {person.email}`"
    yield Link("active", holds=active, says=says)
    waits = "; ".join(f"{what} until {until:%H:%M:%S} UTC" for what, until in person.waits.items())
    help_ = f"`zena user unlock {person.email}`" if waits else _WHENCE.format(facts["id"])
    says = f"{waits or 'none that is known here'}: {help_}"
    yield Link("waits after wrong attempts", holds=not waits, says=says)
    yield _password(person)
    yield _second_factor(person, ring)
    yield from _membership(person)


def _password(person: Person) -> Link:
    links = ", ".join(f"{link['kind']} until {link['expires_at']:%H:%M:%S} UTC" for link in person.links)
    pending = f"; links that still work: {links}" if links else ""
    help_ = f"`zena user reset-link {person.email}`{pending}"
    stored = person.facts["password_hash"]
    if stored is None:
        return Link("password", holds=False, says=f"none chosen yet: {help_}")
    try:
        extract_parameters(stored)
    except InvalidHashError:
        return Link("password", holds=False, says=f"what is stored is no hash that can be compared: {help_}")
    return Link("password", holds=True, says=f"chosen; whether theirs is the right one is not known here{pending}")


def _second_factor(person: Person, ring: KeyRing) -> Link:
    facts = person.facts
    if facts["totp_confirmed_at"] is None:
        return Link("second factor", holds=True, says="off")
    left = f"{facts['recovery_codes']} recovery codes left"
    try:
        Vault(ring).open(person.id, facts["totp_secret"] or b"")
    except SealBroken:
        return Link("second factor", holds=False, says=f"on, but its key is gone (`zena keys list`); {left}")
    return Link("second factor", holds=True, says=f"on, {left}")


def _membership(person: Person) -> Iterator[Link]:
    present = [firm for firm in person.firms if firm["ended_at"] is None]
    ended = ", ".join(firm["slug"] for firm in person.firms if firm["ended_at"] is not None)
    if not present:
        yield Link("membership", holds=False, says=f"of no firm; ended in {ended}" if ended else "of no firm")
        return
    yield Link("membership", holds=True, says=", ".join(f"{firm['role']} of {firm['slug']}" for firm in present))
    served = [firm["slug"] for firm in present if firm["status"] in SERVED]
    each = ", ".join(f"{firm['slug']} is {firm['status']}" for firm in present)
    yield Link("firm is served", holds=bool(served), says=each)
