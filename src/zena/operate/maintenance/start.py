"""What a start has to tell: to the record of changes, and to who started it."""

from typing import TYPE_CHECKING, Final

import asyncpg

from zena.accounts.facade import sealed_under
from zena.kit.db import dialled
from zena.kit.logs import get_logger
from zena.kit.maintenance import Mode
from zena.operate import changes
from zena.operate.maintenance.standing import read
from zena.settings import Role, load_keys

if TYPE_CHECKING:
    from zena.settings import Settings

log = get_logger(__name__)

_SAID: Final = {
    Mode.READ_ONLY: "Changes are switched off since {since}; `zena up` switches them on.",
    Mode.DOWN: "Zena is closed to everybody but operators since {since}; `zena up` opens it.",
}


async def note_start(settings: "Settings") -> None:
    """Record what differs from the last start. A process that may not, or cannot just now, starts all the same."""
    if settings.secret_url(Role.OPS) is None:
        return
    try:
        async with dialled(settings.dsn(Role.OPS), "zena-start") as conn:
            await changes.note_start(conn, settings)
            lost = set(await sealed_under(conn)) - {"", *load_keys(settings).keys}
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("changes since the last start not recorded", error=type(error).__name__)
        return
    if lost:  # a ring that was lost has been made anew by now: nobody would know before the first refused code
        log.error("second factors are sealed under keys that are gone; `zena keys list`", keys=sorted(lost))


async def said_at_start(settings: "Settings") -> str | None:
    """Return the line that tells whoever starts it of maintenance, None when all is open."""
    async with dialled(settings.direct_dsn, "zena-start") as conn:
        standing = await read(conn)
    if standing.mode is Mode.UP or standing.since is None:
        return None
    return _SAID[standing.mode].format(since=f"{standing.since:%Y-%m-%d %H:%M} UTC")
