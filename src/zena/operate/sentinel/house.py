"""The firm and the person of the sentinel: in no list, count or schedule, and made anew each week."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from zena.accounts.facade import create_tenant, create_user, hash_password
from zena.kit.db import Raw
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work
from zena.operate.isolation.probes import PLAN
from zena.operate.tenants import erasing
from zena.operate.tenants.firms import Firm

_PREFIX: Final = "sentinel-"
#: What it does is recorded as anybody's work is: after so long it is erased with its record.
AGE: Final = timedelta(days=7)
_THERE: Final = """
SELECT id, slug, name, status, plan, created_at FROM tenant WHERE plan = $1 AND starts_with(slug, $2) ORDER BY id DESC
"""
_SET: Final = "UPDATE user_account SET password_hash = $2 WHERE email = $1"
_WHO: Final = "zena sentinel"
#: Of chance in a password.
_BYTES: Final = 24


@dataclass(slots=True)
class Person:
    """Who goes through the installation. The password is known to this process alone, and chosen by it."""

    firm: UUID
    email: str
    password: str = field(repr=False)


async def person(state: State, conn: Raw, known: Person | None = None) -> Person:
    """Return the person of the youngest firm that is fit, or of a new one; others are erased. `conn` is of zena_ops.

    Who is not `known` to this process gets another password: not by a link, of which a letter tells.
    """
    fit: Firm | None = None
    for row in await conn.fetch(_THERE, PLAN, _PREFIX):
        firm = Firm(*row[:5])
        if fit is None and firm.status == "active" and row["created_at"] > state.clock.now() - AGE:
            fit = firm
        else:
            await erasing.begin(state, firm, _WHO, settling=0)
            await erasing.erase(state, firm.id)
    if fit is None:
        return await _made(state)
    if known is not None and known.firm == fit.id:
        return known
    found = Person(fit.id, _address(fit.slug), secrets.token_urlsafe(_BYTES))
    await conn.execute(_SET, found.email, await hash_password(found.password))
    return found


async def _made(state: State) -> Person:
    slug, password = _PREFIX + new_id().hex, secrets.token_urlsafe(_BYTES)
    async with unit_of_work(state.db) as session:
        owner = await create_user(session, email=_address(slug), name="Sentinel", password=password)
        await enter_tenant(session, None, owner)
        at = state.clock.now()
        scope = await create_tenant(session, name="Sentinel", owner=owner, at=at, slug=slug, plan=PLAN, timezone="UTC")
    return Person(scope.tenant, _address(slug), password)


def _address(slug: str) -> str:
    return f"owner@{slug}.invalid"
