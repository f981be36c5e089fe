"""Files against the rows that speak of them: there, of the size and with the content that was stored."""

from uuid import UUID

from zena.kit.checks import StoredFiles
from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.storage import Damaged, Storage
from zena.operate.integrity.finding import NAMED, Finding


async def damaged_files(conn: Raw, storage: Storage, source: StoredFiles, tenant: UUID) -> list[Finding]:
    """Return the tenant's files that are missing or changed. Every byte is read."""
    faults = []
    for row in await conn.fetch(source.sql, tenant):
        fault = await _fault(storage, row["key"], row["size"], row["sha256"])
        if fault:
            faults.append(f"{row['id']} {row['key']}: {fault}")
    if not faults:
        return []
    advice = "bring the files back from a backup; they are shown to nobody meanwhile"
    return [Finding("files", source.name, len(faults), faults[:NAMED], tenant, advice=advice)]


async def _fault(storage: Storage, key: str, size: int, sha256: str) -> str | None:
    seen = 0
    try:
        async for chunk in storage.read(key, sha256=sha256):
            seen += len(chunk)
    except NotFound:
        return "is missing"
    except Damaged:
        return "its content was changed"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if seen == size else f"{seen} bytes instead of {size}"
