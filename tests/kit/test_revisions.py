"""A revision is in the database with its number, or not at all."""

from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from zena.kit.embedded import ClusterUrls, EmbeddedPostgres
from zena.migrations.run import config, drift, head, upgrade

REVISIONS = sorted(script.revision for script in ScriptDirectory.from_config(config()).walk_revisions())
_OBJECTS = """
SELECT relnamespace::regnamespace::text || '.' || relname FROM pg_class
WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema') ORDER BY 1
"""


@pytest.fixture
async def empty(cluster: EmbeddedPostgres, request: pytest.FixtureRequest) -> ClusterUrls:
    """A database of its own, with roles and nothing else."""
    return cluster.create_database(f"empty_{REVISIONS.index(request.node.callspec.params['revision'])}")


@pytest.mark.parametrize("revision", REVISIONS)
async def test_F19_a_revision_that_is_cut_off_leaves_nothing(empty: ClusterUrls, revision: str) -> None:
    owner = await asyncpg.connect(empty.owner)
    await owner.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    await owner.execute(f"ALTER TABLE alembic_version ADD CONSTRAINT cut CHECK (version_num <> '{revision}')")
    # The number is written last: whatever comes before has been done by then.
    with pytest.raises(IntegrityError):
        await upgrade(empty.owner, empty.ops)
    left = await objects(owner)
    with pytest.raises(IntegrityError):
        await upgrade(empty.owner, empty.ops)
    assert await objects(owner) == left
    if revision == REVISIONS[0]:
        assert left == ["public.alembic_version", "public.alembic_version_pkey"]
    await owner.execute("ALTER TABLE alembic_version DROP CONSTRAINT cut")
    await owner.close()
    assert (await upgrade(empty.owner, empty.ops)).current == head()
    assert await drift(empty.owner) == []


async def objects(owner: Any) -> list[str]:
    return [row[0] for row in await owner.fetch(_OBJECTS)]
