"""What looks like trouble and is none: nothing may be opened for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from zena.operate.lab.contract import EVERYDAY, LIVE, SOCKET, Asked, Fault, Way
from zena.operate.lab.place import Place

_ABSENT: Final[Asked] = (Way.GET, "/api/v1/app/tasks/00000000-0000-7000-8000-000000000000")
_MISTYPED: Final[Asked] = (Way.POST, "/api/v1/auth/login")
_COMMENTS: Final[Asked] = (Way.GET, "/api/v1/app/tasks/{task}/comments")
_SLOWLY: Final[Asked] = (Way.SIP, "/api/v1/app/tasks?limit=100")
_AWAY: Final[Asked] = (Way.LEAVE, "/dashboard")
_PAGES: Final[tuple[Asked, ...]] = ((Way.GET, "/projects"), (Way.GET, "/my-work"), (Way.GET, "/tasks"))


@asynccontextmanager
async def _once(place: Place) -> AsyncIterator[None]:
    """One moment in which everybody waits."""
    async with place.session(place.urls.superuser) as conn, conn.transaction():
        await conn.execute("LOCK TABLE task IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(0.4)
    yield


@asynccontextmanager
async def _restarted(place: Place) -> AsyncIterator[None]:
    """An operator starts the web processes anew."""
    await place.command("restart", "web")
    yield


FAULTS: Final = (
    Fault("clean", "people work", traffic=(*EVERYDAY, SOCKET)),
    Fault("wrong-passwords", "somebody tries passwords", traffic=(*EVERYDAY, _MISTYPED)),
    Fault("not-found", "programs ask for what is not there", traffic=(*EVERYDAY, _ABSENT)),
    Fault("one-moment", "one short lock, once", broken=_once),
    Fault("slow-readers", "some take their answers slowly", traffic=(*EVERYDAY, _SLOWLY)),
    Fault("leavers", "some leave before they are answered", traffic=(*EVERYDAY, _AWAY)),
    Fault("restarted", "the web processes are started anew, as planned", traffic=(*EVERYDAY, LIVE), broken=_restarted),
)
#: A day of everything at once.
MIXED: Final = Fault(
    "mixed", "people work", traffic=(LIVE, SOCKET, *EVERYDAY, *_PAGES, _COMMENTS, _ABSENT, _MISTYPED, _SLOWLY, _AWAY)
)
