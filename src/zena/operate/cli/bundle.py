"""`zena bundle`: everything that may explain an outage, in one file."""

import asyncio
import contextlib
import io
import os
import tarfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, say, settings
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def bundle(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; otherwise zena-TIME.tar.gz here.")] = None,
) -> None:
    """Pack the evidence of how it stands: health, metrics, activity, locks, changes, settings, rings, logs.

    Secrets are masked, nothing of what firms wrote is read for it. Works while the database is down, and says what
    is missing.

    Example: zena bundle --out /tmp/evidence.tar.gz
    """
    now = SystemClock().now()
    found = settings()
    target = out or Path(f"zena-{now:%Y%m%d-%H%M%S}.tar.gz")
    with _created(target) as stream:
        members, missing = asyncio.run(_collected(found, now))
        _pack(stream, members, now)
    told = {"file": str(target), "bytes": target.stat().st_size, "parts": sorted(members), "missing": missing}
    reasons = {why: [name for name in missing if missing[name] == why] for why in missing.values()}
    lines = [f"missing {', '.join(names)}: {why}" for why, names in reasons.items()]
    say(told, "\n".join([f"{target}, {told['bytes']} bytes, {len(members)} parts", *lines]))


@contextlib.contextmanager
def _created(target: Path) -> Any:
    """Open a new file for its owner alone; nothing is left of it when packing fails."""
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{target} is there already; name another with --out", Exit.DATA) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
    except BaseException:
        target.unlink(missing_ok=True)
        raise


async def _collected(found: "Settings", now: datetime) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parts by file name, and why others are missing."""
    import json

    from zena.operate.evidence import parts
    from zena.operate.evidence.secrecy import known_secrets, line_without_secrets, scrubbed, without_secrets

    members: dict[str, str] = {}
    missing: dict[str, str] = {}

    def keep(name: str, data: Any) -> None:
        plain = json.loads(json.dumps(data, default=str))
        members[f"{name}.json"] = json.dumps(without_secrets(plain), indent=1, ensure_ascii=False)

    for name, data in parts.of_this_machine(found, now):
        keep(name, data)
    try:
        keep("health", await parts.health(found))
    except (OSError, TimeoutError, ValueError) as error:
        missing["health"] = f"no server answers here ({error or type(error).__name__})"
    running = await _read_database(found, now, keep, missing)
    for name, text in parts.files(found):
        members[name] = "\n".join(line_without_secrets(line) for line in text.splitlines())
    members["missing.json"] = json.dumps(missing, indent=1, ensure_ascii=False)
    secrets = known_secrets(found) + known_secrets(running or found)
    return {name: scrubbed(text, secrets) for name, text in members.items()}, missing


async def _read_database(found: "Settings", now: datetime, keep: Any, missing: dict[str, str]) -> "Settings | None":
    """Read what the database knows; return the settings with its URLs, None where none runs."""
    import asyncpg

    from zena.kit.db import dialled
    from zena.kit.embedded import EmbeddedError
    from zena.kit.embedded.attach import attach
    from zena.operate.evidence import parts

    running = None
    try:
        running = attach(found)
        async with dialled(running.dsn(Role.OPS_READ), "zena-bundle", patience=parts.PATIENCE) as conn:
            async for name, data, why in parts.from_database(conn, now):
                if why is None:
                    keep(name, data)
                else:
                    missing[name] = why
    except (EmbeddedError, OSError, TimeoutError, LookupError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = f"the database does not answer ({error or type(error).__name__})"
        done = parts.names_of_database_parts()
        missing |= {name: reason for name in done if name not in missing}
    return running


def _pack(stream: Any, members: dict[str, str], now: datetime) -> None:
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in sorted(members):
            content = members[name].encode(errors="replace")
            entry = tarfile.TarInfo(f"zena-{now:%Y%m%d-%H%M%S}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(now.timestamp())
            archive.addfile(entry, io.BytesIO(content))
