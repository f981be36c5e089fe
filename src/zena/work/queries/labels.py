"""The firm's labels."""

from typing import Any
from uuid import UUID

import msgspec

from zena.kit.db import Raw
from zena.kit.errors import NotFound
from zena.kit.scope import Scope
from zena.work.queries.shapes import LabelRow

_ALL = """
SELECT coalesce(json_agg(json_build_object('id', l.id, 'name', l.name, 'hue', l.hue, 'version', l.version)
                         ORDER BY l.name_key COLLATE "C", l.id), '[]')::text
  FROM label l WHERE l.tenant_id = $1"""
_ONE = "SELECT id, name, hue, version FROM label WHERE tenant_id = $1 AND id = $2"


async def all_labels(conn: Raw, scope: Scope) -> bytes:
    """Return every label of the firm as `{"data": [...]}`; there are at most a few hundred."""
    body: str = await conn.fetchval(_ALL, scope.tenant)
    return b'{"data":%s}' % body.encode()


async def one_label(conn: Raw, scope: Scope, label_id: UUID) -> tuple[bytes, int]:
    row: Any = await conn.fetchrow(_ONE, scope.tenant, label_id)
    if row is None:
        raise NotFound.of("label", label_id)
    return msgspec.json.encode(LabelRow(**row)), row["version"]
