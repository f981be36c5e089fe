"""What was done with backups, among the changes of the installation."""

import asyncpg
import msgspec

from zena.kit.db import asyncpg_dsn
from zena.operate.backup.archive import Manifest
from zena.settings import Role, Settings

_RECORD = "INSERT INTO ops.change (kind, what, actor, after) VALUES ('backup', $1, 'operator', $2::jsonb)"


async def record(settings: Settings, what: str, name: str, manifest: Manifest) -> None:
    facts = {"archive": name, "rows": manifest.rows, "files": manifest.files, "revision": manifest.revision}
    conn = await asyncpg.connect(asyncpg_dsn(settings.dsn(Role.OPS)), timeout=10, command_timeout=10)
    try:
        await conn.execute(_RECORD, what, msgspec.json.encode(facts).decode())
    finally:
        await conn.close(timeout=5)
