"""People of a firm that comes in, by address: who has an account keeps it, others get one without a password."""

from collections.abc import Sequence
from typing import Final

from zena.kit.db import Raw
from zena.kit.ids import new_id
from zena.operate.backup.archive import Person
from zena.operate.tenants.renaming import Names

_KNOWN: Final = "SELECT email, id FROM user_account WHERE email = ANY ($1::text[])"
_TAKEN: Final = "SELECT EXISTS (SELECT FROM user_account WHERE id = $1)"
_MAKE: Final = """
INSERT INTO user_account (id, email, name, sort_key, is_active, locale, timezone, theme)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def match(conn: Raw, people: Sequence[Person], names: Names) -> list[str]:
    """Note in `names` which account each person has here, making those that are missing; return their addresses."""
    known = {row["email"]: row["id"] for row in await conn.fetch(_KNOWN, [one.email for one in people])}
    made = []
    for one in people:
        here = known.get(one.email)
        if here is None:
            here = new_id() if await conn.fetchval(_TAKEN, one.id) else one.id
            facts = one.name, one.sort_key, one.is_active, one.locale, one.timezone, one.theme
            await conn.execute(_MAKE, here, one.email, *facts)
            made.append(one.email)
        names.add(one.id, here)
    return made
