"""Where a firm's figures are kept just now, from the spelling that people use: kpi:FIRM:FAMILY."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from zena.insight.facade import NAMES, stored_name
from zena.kit.cache.entry import CacheKey, Envelope
from zena.kit.db import Raw

_SPELLING: Final = re.compile(r"kpi:(?P<firm>[^:]+):(?P<family>[a-z]+)")
_FIRM: Final = """
SELECT tenant.id, tenant.slug, tenant.timezone, coalesce(head.versions, '{}') AS versions
  FROM tenant LEFT JOIN tenant_head AS head ON head.tenant_id = tenant.id
 WHERE tenant.slug = $1 OR tenant.id::text = lower($1)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The keys under which one family of one firm is looked for at this moment."""

    firm: str
    tenant: UUID
    family: str
    version: int
    keys: list[str]


class NoSuchPlace(Exception):  # noqa: N818 - what somebody reads
    """There is no such firm or family; the text says which."""


async def firm_called(conn: Raw, name: str) -> Any:
    """Return id, slug, timezone and versions of a firm by short name or id. NoSuchPlace."""
    row = await conn.fetchrow(_FIRM, name)
    if row is None:
        raise NoSuchPlace(f"there is no firm {name!r}: `zena tenant list` shows them")
    return row


async def place_spelled(conn: Raw, key: str, now: datetime) -> Place | None:
    """Return what `kpi:FIRM:FAMILY` stands for; None for any other spelling. NoSuchPlace."""
    spelled = _SPELLING.fullmatch(key)
    if spelled is None:
        return None
    family = spelled["family"]
    if family not in NAMES:
        raise NoSuchPlace(f"there is no family {family!r}: {', '.join(NAMES)}")
    firm = await firm_called(conn, spelled["firm"])
    versions, day = firm["versions"], now.astimezone(ZoneInfo(firm["timezone"])).date()
    version = versions.get(family, 0)
    names = [stored_name(family, name, versions) for name in NAMES[family]]
    return Place(
        firm["slug"],
        firm["id"],
        family,
        version,
        [str(CacheKey(firm["id"], family, name, version, day)) for name in names],
    )


def opened(text: bytes, now: datetime) -> dict[str, Any]:
    """Return a stored value with its age and the time it has left; what is not ours is only measured."""
    try:
        envelope = msgspec.json.decode(text, type=Envelope)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError):
        return {"ours": False, "bytes": len(text)}
    return {
        "ours": True,
        "version": envelope.version,
        "local_date": envelope.local_date,
        "generated_at": envelope.generated_at,
        "age_seconds": round((now - envelope.generated_at).total_seconds(), 1),
        "seconds_left": round((envelope.expires_at - now).total_seconds(), 1),
        "value": envelope.value,
    }
