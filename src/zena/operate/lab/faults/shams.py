"""What looks like trouble and is none: nothing may be opened for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from zena.operate.lab.contract import EVERYDAY, SOCKET, Fault
from zena.operate.lab.place import Place


@asynccontextmanager
async def _once(place: Place) -> AsyncIterator[None]:
    """One moment in which everybody waits."""
    async with place.session(place.urls.superuser) as conn, conn.transaction():
        await conn.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(0.4)
    yield


FAULTS: Final = (
    Fault("clean", "people work", traffic=(*EVERYDAY, SOCKET)),
    Fault("wrong-passwords", "somebody tries passwords", traffic=(*EVERYDAY, ("POST", "/api/v1/auth/login"))),
    Fault("not-found", "programs ask for what is not there",
          traffic=(*EVERYDAY, ("GET", "/api/v1/app/tasks/00000000-0000-7000-8000-000000000000"))),
    Fault("one-moment", "one short lock, once", broken=_once),
)  # fmt: skip
