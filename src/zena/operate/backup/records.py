"""What was done with backups, among the changes of the installation."""

from zena.kit import changes
from zena.kit.db import dialled
from zena.operate.backup.archive import Manifest
from zena.settings import Role, Settings


async def record(settings: Settings, what: str, name: str, manifest: Manifest) -> None:
    facts = {"archive": name, "rows": manifest.rows, "files": manifest.files, "revision": manifest.revision}
    async with dialled(settings.dsn(Role.OPS), "zena-backup") as conn:
        await changes.record(conn, "backup", what, after=facts)
