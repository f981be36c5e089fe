"""Deleting a firm: its rows in every table, its files, its people who are in no other firm.

Each step is a transaction of its own and may be done again, so a deletion that was interrupted goes on when asked.
"""

import asyncio
import shutil
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from zena.kit.changes import record as note
from zena.kit.db import Raw, dialled
from zena.kit.queue.schema import WAKE
from zena.kit.state import State
from zena.operate.backup.refusal import Refused
from zena.operate.tenants import erased
from zena.operate.tenants.firms import Firm
from zena.operate.tenants.tables import Table, tenant_tables
from zena.settings import Role

#: These go last, together with the firm's own row.
_LAST: Final = frozenset({"membership", "tenant_head"})
_BATCH: Final = 10_000
#: Seconds for one statement.
PATIENCE: Final = 3600.0
#: Requests and jobs that were under way when the firm was closed end within this long, seconds.
SETTLING: Final = 2.5
#: So often rows may turn up again that somebody wrote meanwhile.
_ROUNDS: Final = 5

_CLOSE: Final = "UPDATE tenant SET status = 'inactive' WHERE id = $1"
_BEGIN: Final = "INSERT INTO ops.erasure (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING RETURNING tenant_id"
# A firm of this id may have been deleted before, and brought in again.
_AGAIN: Final = """
UPDATE ops.erasure SET began_at = now(), ended_at = NULL, exported = false, counts = '{}'
 WHERE tenant_id = $1 AND ended_at IS NOT NULL
"""
_BEGUN: Final = "SELECT exported FROM ops.erasure WHERE tenant_id = $1 AND ended_at IS NULL"
_EXPORTED: Final = "UPDATE ops.erasure SET exported = true WHERE tenant_id = $1"
_COUNT: Final = """
UPDATE ops.erasure
   SET counts = counts || jsonb_build_object($2::text, coalesce((counts ->> $2)::bigint, 0) + $3::bigint)
 WHERE tenant_id = $1
"""
#: What operations keep of a firm, and what they wrote about it. Measurements speak of its id alone, and age out.
_TRACES: Final = (
    """DELETE FROM queue.pgqueuer_log l USING queue.pgqueuer j
        WHERE l.job_id = j.id AND j.headers ->> 'tenant' = CAST($1::uuid AS text)""",
    "DELETE FROM queue.pgqueuer j WHERE j.headers ->> 'tenant' = CAST($1::uuid AS text)",
    """UPDATE ops.change SET before = NULL, after = jsonb_build_object('tenant', $1::uuid)
        WHERE after ->> 'tenant' = CAST($1::uuid AS text) AND after - 'tenant' <> '{}'""",
    "UPDATE session SET active_tenant = NULL WHERE active_tenant = $1",
    "UPDATE session SET visit_tenant = NULL, visit_id = NULL WHERE visit_tenant = $1",
)
#: Whatever operations keep row by row of firms, in tables of today and tomorrow.
_KEPT_OF_FIRMS: Final = """
SELECT format('DELETE FROM %I.%I WHERE %I = $1', n.nspname, c.relname, a.attname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE n.nspname = 'ops' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'erasure'
   AND a.attname IN ('tenant', 'tenant_id') AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
 ORDER BY 1
"""
#: Who is in this firm and in no other, and does not look after the installation.
_ONLY_HERE: Final = """
SELECT m.user_id FROM membership m JOIN user_account u ON u.id = m.user_id AND NOT u.is_operator
 WHERE m.tenant_id = $1
   AND NOT EXISTS (SELECT FROM membership o WHERE o.user_id = m.user_id AND o.tenant_id <> $1)
"""
_OF_PEOPLE: Final = (
    "DELETE FROM session WHERE user_id = ANY ($1::uuid[])",
    "DELETE FROM recovery_code WHERE user_id = ANY ($1::uuid[])",
    "DELETE FROM personal_link WHERE user_id = ANY ($1::uuid[])",
    "DELETE FROM user_account WHERE id = ANY ($1::uuid[])",
)
_END: Final = "UPDATE ops.erasure SET ended_at = clock_timestamp() WHERE tenant_id = $1 RETURNING counts::text"


@dataclass(frozen=True, slots=True)
class Begun:
    """A deletion that has begun. `again`: an earlier call was interrupted; `exported`: after it had made the export."""

    again: bool
    exported: bool


async def begin(state: State, firm: Firm, actor: str, *, settling: float = SETTLING) -> Begun:
    """Close the firm for good and note that it goes. What was under way then has `settling` seconds to end."""
    async with dialled(state.settings.dsn(Role.OPS), "zena-tenant") as conn:
        async with conn.transaction():
            fresh = await begin_in(conn, firm.id)
            exported = await conn.fetchval(_BEGUN, firm.id)
            if fresh:
                await note(conn, "remedy", "tenant delete", actor=actor, after={"tenant": firm.id})
        await asyncio.sleep(settling)
    return Begun(again=not fresh, exported=bool(exported))


async def begin_in(conn: Raw, tenant: UUID) -> bool:
    """Close a firm for good and note it in this transaction; False for a deletion that had begun."""
    await conn.execute(_CLOSE, tenant)
    fresh = await conn.fetchval(_BEGIN, tenant) or (await conn.execute(_AGAIN, tenant)) != "UPDATE 0"
    return bool(fresh)


async def exported(state: State, firm: Firm) -> None:
    """Note that the export is made: rows may go from now on, and a later call makes no other."""
    async with dialled(state.settings.dsn(Role.OPS), "zena-tenant") as conn:
        await conn.execute(_EXPORTED, firm.id)


async def erase(state: State, tenant: UUID) -> dict[str, int]:
    """Delete everything of a closed firm and return how many rows went, by table. May be called again at any time.

    That it goes is noted outside of the database first: from then on no restore brings it back (J07).
    """
    await asyncio.to_thread(erased.note, state.settings, tenant, state.clock.now())
    async with dialled(state.settings.dsn(Role.OPS), "zena-tenant", patience=PATIENCE) as conn:
        for _ in range(_ROUNDS):
            await _rows(conn, tenant)
            await asyncio.to_thread(shutil.rmtree, state.settings.files_path / tenant.hex, ignore_errors=True)
            await _cached(state, tenant)
            try:
                return await _firm_itself(conn, tenant)
            except asyncpg.ForeignKeyViolationError:
                continue
    raise Refused("somebody goes on writing in this firm; call again")


async def erase_rows(conn: Raw, tenant: UUID) -> dict[str, int]:
    """Delete every row of a closed firm where nobody else writes; return how many went, by table."""
    await _rows(conn, tenant)
    return await _firm_itself(conn, tenant)


async def _rows(conn: Raw, tenant: UUID) -> None:
    for table in reversed(await tenant_tables(conn)):
        if table.name not in _LAST:
            await _empty(conn, table, tenant)
    async with conn.transaction():
        kept = [row[0] for row in await conn.fetch(_KEPT_OF_FIRMS)]
        for statement in (*_TRACES, *kept):
            await conn.execute(statement, tenant)
        await conn.execute(WAKE)


async def _empty(conn: Raw, table: Table, tenant: UUID) -> None:
    """Delete the firm's rows of a table, some at a time; a tree at once, for a part of it cannot stand."""
    some = (
        ""
        if table.refers_to_itself
        else f" AND ctid = ANY (ARRAY(SELECT ctid FROM {table.quoted} WHERE tenant_id = $1 LIMIT {_BATCH}))"  # noqa: S608 - names that the catalog quoted
    )
    statement = f"DELETE FROM {table.quoted} WHERE tenant_id = $1{some}"  # noqa: S608 - same
    while True:
        async with conn.transaction():
            gone = await _deleted(conn, statement, tenant)
            if gone:
                await conn.execute(_COUNT, tenant, table.name, gone)
        if gone < _BATCH:
            return


async def _firm_itself(conn: Raw, tenant: UUID) -> dict[str, int]:
    """Delete what holds people and the firm together, the people who were only here, and the firm's own row."""
    async with conn.transaction():
        gone = [row["user_id"] for row in await conn.fetch(_ONLY_HERE, tenant)]
        await conn.execute("DELETE FROM tenant_head WHERE tenant_id = $1", tenant)
        members = await _deleted(conn, "DELETE FROM membership WHERE tenant_id = $1", tenant)
        for statement in _OF_PEOPLE:
            await conn.execute(statement, gone)
        await conn.execute("DELETE FROM tenant WHERE id = $1", tenant)
        for name, many in (("membership", members), ("user_account", len(gone))):
            await conn.execute(_COUNT, tenant, name, many)
        counted: Any = await conn.fetchval(_END, tenant)
    return _counts(counted)


async def _deleted(conn: Raw, statement: str, tenant: UUID) -> int:
    return int((await conn.execute(statement, tenant)).rpartition(" ")[2])


def _counts(told: str | None) -> dict[str, int]:
    return dict(msgspec.json.decode(told or "{}"))


async def _cached(state: State, tenant: UUID) -> None:
    """Drop what a shared cache holds of the firm; each process's own memory forgets by itself within minutes."""
    for key in await state.cache.keys(f"kpi:{tenant}:*"):
        await state.cache.store.delete(key)
