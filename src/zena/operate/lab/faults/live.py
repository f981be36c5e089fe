"""Live updates: the database no longer wakes those who tell them, or gives them nothing to tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from zena.kit.beside import beside
from zena.operate.lab.contract import EVERYDAY, LIVE, Fault
from zena.operate.lab.faults.database import switched
from zena.operate.lab.place import Place

_OFTEN: Final = 0.1
_LISTENERS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE application_name LIKE '%-direct' AND query LIKE 'LISTEN%'
"""
_TRAFFIC: Final = (LIVE, *EVERYDAY)


@asynccontextmanager
async def _cut(place: Place) -> AsyncIterator[None]:
    """What stands between ends each session that listens, as a pooler or a firewall does."""

    async def cut() -> None:
        async with place.session(place.urls.superuser) as conn:
            while True:
                await conn.fetchval(_LISTENERS)
                await asyncio.sleep(_OFTEN)

    async with beside(cut()):
        yield


FAULTS: Final = (
    Fault("bell-cut", "sessions that listen to the database are cut again and again", "W2", "not_woken", _TRAFFIC,
          broken=_cut),
    switched(
        Fault("heads-right", "the application may no longer ask what is new", "W2", "right_missing", _TRAFFIC),
        "REVOKE EXECUTE ON FUNCTION gate.heads FROM zena_app",
        "GRANT EXECUTE ON FUNCTION gate.heads TO zena_app",
    ),
)  # fmt: skip
