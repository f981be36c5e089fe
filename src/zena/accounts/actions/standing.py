"""What operators do to an account: switch it off and on, let somebody try again at once. No password is ever set."""

from collections.abc import Sequence
from typing import Final

from zena.accounts.queries.standing import Person, counters
from zena.kit.db import Raw

_SWITCH: Final = (
    "UPDATE user_account SET is_active = $2, version = version + 1 WHERE id = $1 AND is_active <> $2 RETURNING true"
)
_SIGN_OUT: Final = "UPDATE session SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL"
_NO_LINKS: Final = "DELETE FROM personal_link WHERE user_id = $1"
_FORGET: Final = "DELETE FROM throttle WHERE key = ANY($1)"


async def activate(conn: Raw, person: Person) -> bool:
    """Let somebody sign in again; their old sessions stay ended. Return whether that changed anything."""
    return bool(await conn.fetchval(_SWITCH, person.id, True))  # noqa: FBT003 - a value of the statement


async def deactivate(conn: Raw, person: Person) -> bool:
    """Shut somebody out everywhere at once; sessions and links end with it. Return whether that changed anything."""
    async with conn.transaction():
        changed = await conn.fetchval(_SWITCH, person.id, False)  # noqa: FBT003 - a value of the statement
        await conn.execute(_SIGN_OUT, person.id)
        await conn.execute(_NO_LINKS, person.id)
    return bool(changed)


async def unlock(conn: Raw, person: Person, secret: bytes, addresses: Sequence[str]) -> int:
    """Forget wrong attempts on this account, and for everybody from `addresses`; return how many counters went."""
    keys = counters(secret, person.email, person.id, [*addresses, *person.networks])
    kept = {
        key for key, what in counters(secret, person.email, person.id, person.networks).items() if "everybody" in what
    }
    kept -= counters(secret, person.email, person.id, addresses).keys()
    status = await conn.execute(_FORGET, [key for key in keys if key not in kept])
    return int(status.rpartition(" ")[2])
