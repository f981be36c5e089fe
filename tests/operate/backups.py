"""An installation with a firm and a file in it, for tests of backups."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cli.run import Ran, zena
from tests.kit.pg import FAST, ask, open_folder
from zena.cli.schema import upgraded
from zena.kit.clock import SystemClock
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.embedded.attach import with_urls
from zena.kit.posture import head_on_disk
from zena.kit.storage import LocalStorage, Stored
from zena.operate.backup.making import Made, create
from zena.operate.backup.proving import verify
from zena.operate.backup.restoring import Restored, restore
from zena.operate.tenants.again import erase_again
from zena.settings import Settings

MIGRATIONS = "zena.migrations.run"
TASKS = "SELECT count(*) FROM task"
DATABASES = "SELECT array_agg(datname::text ORDER BY datname) FROM pg_database"
_OID = "SELECT oid::bigint FROM pg_database WHERE datname = 'zena'"


@dataclass
class House:
    """The installation, and its first backup."""

    folder: Path
    server: EmbeddedPostgres
    stored: Stored
    archive: Path
    given: Settings | None = None

    @property
    def settings(self) -> Settings:
        return self.given or with_urls(Settings(env="test", data_dir=self.folder), self.server.urls())

    @property
    def file(self) -> Path:
        return self.folder / "files" / self.stored.key

    def zena(self, *arguments: str, **values: object) -> Ran:
        return zena(*arguments, module="zena", ZENA_DATA_DIR=self.folder, **values)

    def create(self, **changes: Any) -> Made:
        return asyncio.run(create(self.settings.model_copy(update=changes), SystemClock().now()))

    def verify(self, path: Path, **changes: Any) -> None:
        asyncio.run(verify(self.settings.model_copy(update=changes), path, head=head_on_disk(MIGRATIONS)))

    def restore(self, path: Path, at: datetime | None = None, **changes: Any) -> Restored:
        found, head = self.settings.model_copy(update=changes), head_on_disk(MIGRATIONS) or ""
        now = at or SystemClock().now()
        return asyncio.run(
            restore(found, path, now, head=head, upgrade=lambda new: upgraded(new, MIGRATIONS), erase_again=erase_again)
        )

    def ask(self, *statements: str) -> Any:
        return ask(self.server.urls().superuser, *statements)

    def leftovers(self) -> list[str]:
        """What no command may leave behind."""
        drafts = [path.name for path in (self.folder / "backups").glob(".draft*")]
        return drafts + [name for name in self.ask(DATABASES) if name.startswith("zena_backup")]

    def standing(self) -> tuple[Any, ...]:
        """What a refused restore must leave as it was."""
        facts = [self.ask(statement) for statement in (TASKS, _OID, DATABASES)]
        return (*facts, self.file.read_bytes(), (self.folder / "secret.key").read_bytes(), self.leftovers())


def made(ran: Ran) -> Path:
    """The archive that `zena backup create --json` has told."""
    assert ran.code == 0, ran.err
    return Path(json.loads(ran.out)["archive"])


@contextmanager
def installation(**options: str) -> Iterator[House]:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options=FAST | options)
        try:
            found = with_urls(Settings(env="test", data_dir=folder), server.start())
            asyncio.run(upgraded(found, MIGRATIONS))
            assert zena("demo", module="zena", ZENA_DATA_DIR=folder).code == 0
            storage = LocalStorage(found.files_path)
            stored = asyncio.run(storage.put(_once(b"a drawing" * 1000), tenant=uuid4(), limit=10**6))
            first = asyncio.run(create(found, SystemClock().now()))
            yield House(folder, server, stored, first.kept.path)
        finally:
            server.stop()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
