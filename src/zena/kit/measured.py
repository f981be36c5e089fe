"""Timing of every statement, whichever way it is sent: through the raw pool, a raw connection or SQLAlchemy."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from zena.kit.telemetry import Telemetry


def measured_connection(telemetry: Telemetry, *, pooled: bool = False) -> type[Any]:
    """Return a connection class that tells `telemetry` of each statement; a transaction's ends are statements too.

    Behind a transaction pooler (`pooled`) a statement that stands alone becomes a transaction: it is prepared by one
    message and run by the next, and between the two the pooler may lend us another server's connection.
    """

    def measured(name: str) -> Callable[..., Awaitable[Any]]:
        async def sent(self: Any, query: str, *args: Any, **options: Any) -> Any:
            began = perf_counter()
            alone = pooled and (args or name != "execute") and not self.is_in_transaction()
            try:
                async with self.transaction() if alone else nullcontext():
                    found = await getattr(asyncpg.Connection, name)(self, query, *args, **options)
            finally:
                telemetry.query(query, perf_counter() - began)
            if telemetry.on_rows:
                telemetry.rows(_rows(name, found))
            return found

        return sent

    ways = {name: measured(name) for name in ("execute", "fetch", "fetchrow", "fetchval")}
    return type("Measured", (asyncpg.Connection,), ways)


def measure_engine(engine: AsyncEngine, telemetry: Telemetry) -> None:
    """Tell `telemetry` of each statement the engine sends: SQLAlchemy prepares its own, past the methods above."""

    def before(_conn: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - the event's signature
        context.began = perf_counter()

    def after(_conn: Any, cursor: Any, text: str, _values: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - same
        telemetry.query(text, perf_counter() - context.began)
        if telemetry.on_rows:
            telemetry.rows(cursor.rowcount if cursor.rowcount >= 0 else None)

    def failed(what: Any) -> None:
        began = getattr(what.execution_context, "began", None)
        if began is not None and what.statement:
            telemetry.query(what.statement, perf_counter() - began)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)


def _rows(way: str, found: Any) -> int | None:
    """Return how many rows a raw statement found or changed; `execute` answers with the server's own word for it."""
    if way == "fetch":
        return len(found)
    if way == "fetchrow":
        return int(found is not None)
    last = str(found).rpartition(" ")[2] if way == "execute" else "1"
    return int(last) if last.isdecimal() else None
