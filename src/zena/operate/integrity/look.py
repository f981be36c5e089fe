"""One look at everything, as zena_ops: a role held by row-level security would take every parent for gone."""

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from zena.kit.db import Database, DatabaseOptions, Raw, asyncpg_dsn, set_json_codecs
from zena.kit.errors import Forbidden
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.integrity.chains import broken_chain
from zena.operate.integrity.files import damaged_files
from zena.operate.integrity.finding import Finding, Report
from zena.operate.integrity.heap import Index, compare, indexes
from zena.operate.integrity.invariants import broken, tenants
from zena.operate.integrity.orphans import find_orphans, foreign_keys
from zena.operate.integrity.posture import SWITCHES, wrong
from zena.settings import Role

#: Longest single statement, seconds; what takes longer is reported as not finished.
_TIMEOUT: Final = 600.0
_SEES_ALL: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"

Step = tuple[str, Callable[[], Awaitable[list[Finding] | None]]]


@dataclass(frozen=True, slots=True)
class Eyes:
    """What a look is taken with: a raw connection and, for the slices' functions, sessions of the same role."""

    state: State
    conn: Raw
    db: Database


@asynccontextmanager
async def eyes(state: State) -> AsyncIterator[Eyes]:
    """Connect as zena_ops. Raises LookupError without its URL, Forbidden if the role does not see all rows."""
    url = state.settings.dsn(Role.OPS)
    server = {"application_name": "zena-integrity", "timezone": "UTC", "lock_timeout": "5000"}
    conn: Raw = await asyncpg.connect(
        asyncpg_dsn(url), timeout=5, command_timeout=_TIMEOUT + 5, statement_cache_size=0, server_settings=server
    )
    db = Database(
        DatabaseOptions(url, pool_size=1, statement_timeout=_TIMEOUT, application="zena-integrity"), state.telemetry
    )
    try:
        await set_json_codecs(conn)
        if not await conn.fetchval(_SEES_ALL):
            raise Forbidden(detail="The role of ZENA_DATABASE_OPS_URL does not see all rows: zena_ops is needed.")
        yield Eyes(state, conn, db)
    finally:
        await db.stop()
        await conn.close(timeout=5)


async def look(seen: Eyes, *, quick: bool = False, within: float = math.inf) -> Report:
    """Run every check and return what is broken. `quick` leaves out what reads every file and index.

    After `within` seconds no further check is begun; the report says that it is unfinished.
    """
    now = seen.state.clock.now()
    report = Report(new_id(), now, now)
    until = time.monotonic() + within
    async for name, step in _steps(seen, quick=quick):
        if time.monotonic() > until:
            report.unfinished.append(f"out of time before {name}")
            break
        await _take(seen, report, name, step)
    report.finished_at = seen.state.clock.now()
    return report


async def _take(seen: Eyes, report: Report, name: str, step: Callable[[], Awaitable[list[Finding] | None]]) -> None:
    try:
        found = await step()
    except (asyncpg.PostgresError, SQLAlchemyError, TimeoutError) as error:
        if seen.conn.is_closed():
            raise  # nothing that follows could be looked at either
        report.unfinished.append(f"{name}: {error or type(error).__name__}")
        return
    if found is None:
        return
    report.checks += 1
    report.findings += found


async def _steps(seen: Eyes, *, quick: bool) -> AsyncIterator[Step]:
    for switch in SWITCHES:
        yield switch.name, partial(wrong, seen.conn, switch)
    for key in await foreign_keys(seen.conn):
        yield key.name, partial(find_orphans, seen.conn, key)
    for tenant in await tenants(seen.conn):
        for check in seen.state.registry.checks:
            yield f"{check.name} of {tenant}", partial(broken, seen.conn, check, tenant)
        yield f"audit chain of {tenant}", partial(broken_chain, seen.db, tenant)
        for source in () if quick else seen.state.registry.files:
            yield f"files of {tenant}", partial(damaged_files, seen.conn, seen.state.storage, source, tenant)
    for step in () if quick else _index_steps(seen, await indexes(seen.conn)):
        yield step


def _index_steps(seen: Eyes, found: list[Index]) -> Iterator[Step]:
    for index in found:
        yield index.index, partial(compare, seen.conn, index)
