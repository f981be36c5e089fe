"""A table that has grown, and the index that it lacks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from zena.operate.lab.contract import EVERYDAY, Asked, Fault, Way
from zena.operate.lab.place import Place

_COMMENTS: Final[tuple[Asked, ...]] = ((Way.GET, "/api/v1/app/tasks/{task}/comments"), *EVERYDAY)
_ROWS: Final = 1_000_000
#: What a firm said over the years, of another task than the one that is asked for.
_GROW: Final = f"""
SET session_replication_role = replica;
INSERT INTO comment (tenant_id, task_id, id, body, created_at)
SELECT t.tenant_id, t.id, uuidv7(), 'lab', now()
  FROM (SELECT tenant_id, id FROM task WHERE tenant_id = (SELECT tenant_id FROM comment ORDER BY task_id LIMIT 1)
         ORDER BY id DESC LIMIT 1) AS t, generate_series(1, {_ROWS});
RESET session_replication_role
"""  # noqa: S608 - a number of ours
_DROP: Final = "DROP INDEX IF EXISTS ix_comment_task"
_MAKE: Final = "CREATE INDEX IF NOT EXISTS ix_comment_task ON comment (tenant_id, task_id, created_at, id)"


@asynccontextmanager
async def _lacking(place: Place) -> AsyncIterator[None]:
    await place.sql(_DROP, *_GROW.split(";"), "VACUUM ANALYZE comment")
    try:
        yield
    finally:
        await _put_back(place)


async def _put_back(place: Place) -> None:
    """Forget what was said, and the index that a remedy has built for it."""
    if await place.value("SELECT reltuples > 100000 FROM pg_class WHERE oid = 'comment'::regclass"):
        await place.sql("DELETE FROM comment WHERE body = 'lab'", "DROP INDEX IF EXISTS ix_remedy_comment_task_id")
        await place.sql("VACUUM (FULL, ANALYZE) comment")
    await place.sql("SET ROLE zena_owner", _MAKE)


FAULTS: Final = (
    Fault("index-dropped", "somebody dropped an index of a table that has grown", "B1", "missing_index", _COMMENTS,
          heal=_put_back, broken=_lacking),
)  # fmt: skip
