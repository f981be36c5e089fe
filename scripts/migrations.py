"""Migrations: what they make is what the code has (`drift`), and none takes a lock it must not (`locks`).

`rights` writes down what they let the application do.
"""

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
from alembic import command

from scripts.findings import report
from zena.kit.embedded import ClusterUrls, EmbeddedPostgres
from zena.migrations.run import config, drift, upgrade
from zena.operate.integrity import rights

_RUNNING = re.compile(r"^-- Running upgrade \w* -> (\w+).*$", re.MULTILINE)
_TRANSACTION = re.compile(r"^(BEGIN|COMMIT);$", re.MULTILINE)
#: What the runner sets before it migrates.
_TIMEOUTS = "SET lock_timeout = '2s';\nSET statement_timeout = '10min';\n"
_RIGHTS = Path(rights.__file__).with_name("rights.txt")
#: Rules a revision is not held to. 0002 lays the tables of the queue library as that library writes them.
EXCUSED_ALWAYS = ("prefer-bigint-over-smallint",)  # a percentage and a number of days have their CHECK
EXCUSED = {"0002": ("prefer-bigint-over-int", "prefer-identity")}


def drifted() -> Iterator[str]:
    """Yield one line for each difference, seen in a fresh database that was migrated to head."""
    differences, granted = migrated()
    yield from (f"tables and migrations differ: {difference}" for difference in differences)
    if granted != _RIGHTS.read_text(encoding="utf-8"):
        yield f"{_RIGHTS.name} is not what the migrations grant: `python -m scripts.migrations rights` writes it"


def migrated() -> tuple[list[object], str]:
    """Return how a fresh database that was migrated to head differs from the code, and what the application may do."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # as root the server runs under another account, which must pass through
        server = EmbeddedPostgres(Path(folder) / "data")
        try:
            return anyio.run(_migrated, server.start())
        finally:
            server.stop()


async def _migrated(urls: ClusterUrls) -> tuple[list[object], str]:
    await upgrade(urls.owner, urls.ops)
    conn = await asyncpg.connect(urls.superuser)
    try:
        held = sorted(row["line"] for row in await conn.fetch(rights.HELD))
        revision = await conn.fetchval("SELECT version_num FROM alembic_version")
    finally:
        await conn.close()
    return await drift(urls.owner), "\n".join([f"# of revision {revision}", *held, ""])


def granted() -> Iterator[str]:
    """Write the file of rights, and find nothing."""
    _RIGHTS.write_text(migrated()[1], encoding="utf-8")
    yield from ()


def locking() -> Iterator[str]:
    """Yield what squawk says of each revision's SQL."""
    for revision, sql in revisions(offline_sql()).items():
        yield from judge(revision, sql)


def judge(revision: str, sql: str) -> Iterator[str]:
    """Yield squawk's warnings about one revision."""
    excused = [f"--exclude={rule}" for rule in (*EXCUSED_ALWAYS, *EXCUSED.get(revision, ()))]
    tool = str(Path(sys.executable).parent / "squawk")
    ask = [tool, "--pg-version=16", "--assume-in-transaction", "--reporter=gcc", f"--stdin-filepath={revision}.sql"]
    said = subprocess.run([*ask, *excused], input=_TIMEOUTS + sql, check=False, capture_output=True, text=True)
    if said.returncode:
        yield (said.stdout + said.stderr).strip()


def offline_sql() -> str:
    """Return the SQL of all migrations, from nothing to head."""
    settings = config()
    settings.output_buffer = io.StringIO()
    command.upgrade(settings, "head", sql=True)
    return settings.output_buffer.getvalue()


def revisions(sql: str) -> dict[str, str]:
    """Split an offline script at its revisions; what opens and closes transactions is the runner's."""
    _, *parts = _RUNNING.split(sql)
    return {name: _TRANSACTION.sub("", text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


if __name__ == "__main__":
    report({"drift": drifted, "locks": locking, "rights": granted}[sys.argv[1]]())
