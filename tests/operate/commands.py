"""The program against the database of the tests, as an operator at a terminal calls it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.cli.run import Ran, zena
from zena.kit.embedded import ClusterUrls


@dataclass(frozen=True)
class Terminal:
    """Runs commands with the URLs of all roles."""

    urls: ClusterUrls
    data_dir: Path

    async def __call__(self, *arguments: str, **values: object) -> Ran:
        variables = {
            "ZENA_DATA_DIR": self.data_dir,
            "ZENA_DATABASE_URL": self.urls.app,
            "ZENA_DATABASE_OWNER_URL": self.urls.owner,
            "ZENA_DATABASE_OPS_URL": self.urls.ops,
            "ZENA_DATABASE_OPS_READ_URL": self.urls.ops_read,
        }
        return await asyncio.to_thread(lambda: zena(*arguments, module="zena", **(variables | values)))
