"""The schema of a database: where it stands, and bringing it to this release's. `migrations` names the module."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zena.cli.lazy import resolve
from zena.cli.output import CommandError
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.settings import Settings

#: Kept where only ops can write it, beside the functions it vouches for; worthless if the revision was changed since.
_STANDING = "SELECT obj_description(to_regnamespace('gate'), 'pg_namespace')"
_REVISION = "SELECT version_num FROM public.alembic_version"


async def upgraded(found: "Settings", migrations: str) -> None:
    """Migrate, unless that was done by this very release."""
    from zena.settings import Role

    mark = _digest(migrations)
    if await _is_done(found, mark):
        return
    await resolve(f"{migrations}:upgrade")(found.dsn(Role.OWNER), found.dsn(Role.OPS))
    await _told(found.dsn(Role.OPS), f"COMMENT ON SCHEMA gate IS '{mark}'")


def _digest(migrations: str) -> str:
    """Return the revision and a digest of everything a migration runs."""
    from zena.kit.posture import head_on_disk

    spec = find_spec(migrations)
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.sql"), *folder.glob("*.py"), *folder.glob("versions/*")]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{head_on_disk(migrations)} {digest.hexdigest()}"


async def _is_done(found: "Settings", mark: str) -> bool:
    from zena.settings import Role

    if await _told(found.dsn(Role.OPS), _STANDING) != mark:
        return False
    return bool(await _told(found.dsn(Role.OWNER), _REVISION) == mark.partition(" ")[0])


async def _told(dsn: str, statement: str) -> Any:
    import asyncpg

    from zena.kit.db import asyncpg_dsn

    connection = await asyncpg.connect(asyncpg_dsn(dsn), timeout=10, command_timeout=10)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close(timeout=10)


async def planned(found: "Settings", migrations: str) -> dict[str, Any]:
    """Return where the database is, where this release is, and the steps between."""
    from alembic.script import ScriptDirectory

    from zena.settings import Role

    there = await resolve(f"{migrations}:state")(found.dsn(Role.OWNER))
    scripts = ScriptDirectory.from_config(resolve(f"{migrations}:config")())
    if there.current not in {None, *(script.revision for script in scripts.walk_revisions())}:
        raise CommandError(f"the database is at revision {there.current}, of a newer release than this", Exit.CONFIG)
    steps = [] if there.is_current else scripts.iterate_revisions(there.head, there.current or "base")
    pending = [{"revision": step.revision, "what": step.doc} for step in steps]
    return {"current": there.current, "head": there.head, "pending": pending[::-1]}


def statements(plan: dict[str, Any], migrations: str) -> list[dict[str, str]]:
    """Return what a plan would send to the database, each statement with whom it keeps waiting (empty: nobody)."""
    steps = resolve(f"{migrations.rpartition('.')[0]}.plan:steps")(plan["current"], plan["head"])
    return [{"revision": s.revision, "sql": s.sql, "table": s.table, "lock": s.lock} for s in steps]
