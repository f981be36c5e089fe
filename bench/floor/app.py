"""The floor: bare ASGI on the same server with the same options, the same Postgres, the same role, no authentication.

Each request is BEGIN, set the tenant, one prepared select with asyncpg, COMMIT, and the same JSON as the application's.
Run as `python -m bench.floor.app --fd N --ready-fd N`, with ZENA_DATABASE_URL in the environment.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg

from bench.data import ZONE
from bench.floor.statements import LIST, ONE, PROJECTS
from zena.kit.db import asyncpg_dsn
from zena.kit.serving.lifeline import tell_ready
from zena.kit.serving.listen import adopt
from zena.kit.serving.server import serve

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_ENTER = "SELECT set_config('app.tenant', $1, true)"
#: As many connections as the application's default.
_CONNECTIONS = 8


class Floor:
    """Three reads by path: /list, /one, /projects."""

    pool: "asyncpg.Pool[asyncpg.Record]"

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        body = await self._read(scope["path"], asked)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, path: str, asked: dict[str, str]) -> bytes:
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute(_ENTER, asked["tenant"])
            tenant = UUID(asked["tenant"])
            if path == "/one":
                return str(await conn.fetchval(ONE, tenant, UUID(asked["id"]))).encode()
            if path == "/list":
                rows = await conn.fetch(LIST, tenant, UUID(asked["id"]))
            else:
                rows = await conn.fetch(PROJECTS, tenant, datetime.now(ZONE).date())
        return b'{"data":[%s],"page":{"next":null,"limit":50}}' % ",".join([row[0] for row in rows[:50]]).encode()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.pool = await asyncpg.create_pool(
            asyncpg_dsn(os.environ["ZENA_DATABASE_URL"]), min_size=0, max_size=_CONNECTIONS
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    listener, ready = int(sys.argv[2]), int(sys.argv[4])
    serve(Floor(), adopt(listener), on_ready=lambda: tell_ready(ready))
