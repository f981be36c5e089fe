"""What the installation holds and how it came to be so: firms in numbers, backups, changes, settings."""

from datetime import timedelta
from typing import Annotated, Any, Final

from litestar import Response, get
from litestar.params import FromQuery
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.access import operator
from zena.kit.db import Raw
from zena.kit.html import AnyRequest
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.operate.backup.standing import standing
from zena.operate.changes import listed
from zena.operate.console.desk import REPORT_AGE, answer, memo_of
from zena.operate.crossings.figures import crossings, last_crossings
from zena.operate.metrics.firms import MOST, called, firms
from zena.settings.load import described

Name = Annotated[str, Meta(max_length=100)]
_BACK: Final = timedelta(days=90)
_ATTEMPTS: Final = timedelta(days=7)


@get("/ops/tenants", opt=operator())
async def tenants(
    request: AnyRequest, session: AsyncSession, identity: Identity, q: FromQuery[Name] = ""
) -> Response[str]:
    """Each firm in numbers, the busiest first, and who tried another firm's ids; nothing that stands in one."""

    async def read(conn: Raw) -> dict[str, Any]:
        now, wanted = state_of(request).clock.now(), q.strip().replace("\x00", "")
        if wanted:
            found = await firms(conn, now, wanted)
        else:
            found = await memo_of(request).get("firms", now, REPORT_AGE, lambda: firms(conn, now))

        async def look() -> dict[str, Any]:
            attempts, last = await crossings(conn, now, _ATTEMPTS), await last_crossings(conn, now - _ATTEMPTS)
            ids = {one["tenant"] for one in attempts["by_person"]} | {one["owner"] for one in last}
            return {"attempts": attempts, "last": last, "known": await called(conn, ids)}

        tried = await memo_of(request).get("attempts", now, REPORT_AGE, look)
        return {"firms": found, "q": q, "most": MOST, **tried}

    return await answer(request, session, identity, "ops/tenants.html", read)


@get("/ops/backups", opt=operator())
async def backups(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """What can be gone back to, how it was proved, what would be lost now."""

    async def read(conn: Raw) -> dict[str, Any]:
        now = state_of(request).clock.now()
        return {"report": await memo_of(request).get("backups", now, REPORT_AGE, lambda: standing(conn, now))}

    return await answer(request, session, identity, "ops/backups.html", read)


@get("/ops/changes", opt=operator())
async def what_changed(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """Deploys, migrations, settings and remedies, the latest first."""

    async def read(conn: Raw) -> dict[str, Any]:
        return {"changes": await listed(conn, state_of(request).clock.now() - _BACK)}

    return await answer(request, session, identity, "ops/changes.html", read)


@get("/ops/settings", opt=operator())
async def settings(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    """What this process runs with, secrets masked: as `zena config show` tells it."""

    async def read(_: Raw) -> dict[str, Any]:
        return {"settings": described(state_of(request).settings)}

    return await answer(request, session, identity, "ops/settings.html", read)


ROUTES = [tenants, backups, what_changed, settings]
