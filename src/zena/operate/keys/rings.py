"""The two key rings, what each key of them has sealed, and the way from one key to the next."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from zena.accounts.facade import Resealed, reseal, sealed_under
from zena.kit.changes import record
from zena.kit.db import Raw, dialled
from zena.kit.exits import Exit
from zena.operate.backup import shelf, wal
from zena.operate.backup.refusal import Refused
from zena.operate.backup.sealed import sealed_with
from zena.settings import KeyRing, Role, Settings, load_backup_keys, load_keys, retire_key, rotate_ring

Name = Literal["secret", "backup"]
NAMES: Final[tuple[Name, ...]] = ("secret", "backup")
#: What is sealed under a key, by kind.
Uses = dict[str, int]

#: Seconds after a change of the ring in which a request that began before may still seal under the former key.
_SETTLE: Final = 60
_APPLICATION: Final = "zena-keys"


@dataclass(frozen=True, slots=True)
class Standing:
    """One key. `state` gone: things name it, and the ring does not have it. `uses` is None where unknown."""

    ring: Name
    key: str
    state: Literal["current", "old", "gone"]
    uses: Uses | None


def path_of(settings: Settings, ring: Name) -> Path:
    return settings.keys_path if ring == "secret" else settings.backup_key_path


def load(settings: Settings, ring: Name) -> KeyRing:
    """Read a ring that must be there; Refused where it is not."""
    path = path_of(settings, ring)
    if not path.exists():
        first = "start" if ring == "secret" else "backup"
        raise Refused(f"there is no key ring {path} yet: the first {first} makes it")
    return load_keys(settings) if ring == "secret" else load_backup_keys(settings, make=False)


async def secret_uses(settings: Settings) -> dict[str, Uses]:
    """Return, by key, what the database holds sealed; "" for what names no key."""
    async with dialled(settings.dsn(Role.OPS), _APPLICATION) as conn:
        return await sealed_under(conn)


def backup_uses(settings: Settings) -> dict[str, Uses]:
    """Return, by key, the archives and pieces of the log in the directory of backups."""
    found: dict[str, Counter[str]] = {}
    for kind, folder, pattern in (
        ("archives", settings.backups_path, "*.zbk"),
        ("pieces of the log", wal.sealed_folder(settings), "*.zwl"),
    ):
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):  # aged out meanwhile
                name = sealed_with(path)
                if name is not None:
                    found.setdefault(name, Counter())[kind] += 1
    return {name: dict(uses) for name, uses in found.items()}


def standing(ring: Name, keys: KeyRing, uses: dict[str, Uses] | None) -> Iterator[Standing]:
    """Yield the keys of a ring, newest first, and those that are named and gone."""
    for name in keys.keys:
        yield Standing(
            ring, name, "current" if name == keys.current.id else "old", None if uses is None else uses.get(name, {})
        )
    for name in sorted(set(uses or {}) - set(keys.keys)):
        yield Standing(ring, name, "gone" if name else "old", (uses or {})[name])


async def rotate(settings: Settings, ring: Name, line: str) -> str:
    """Put a fresh key, a line of a ring, first, and record it; return its id. Refused where the file is not ours."""
    before, name = load(settings, ring).current.id, line.partition(" ")[0]
    async with dialled(settings.dsn(Role.OPS), _APPLICATION) as conn, conn.transaction():
        await _record(conn, "key rotated", ring, before=before, after=name)
        _changing(path_of(settings, ring), lambda path: rotate_ring(path, line))
    return name


async def reencrypt(settings: Settings) -> Resealed:
    """Bring everything in the database under the current key, and record how much it was."""
    ring = load(settings, "secret")
    async with dialled(settings.dsn(Role.OPS), _APPLICATION) as conn:
        done = await reseal(conn, ring)
        if done.seeds or done.codes:
            counts = {"seeds": done.seeds, "recovery codes": done.codes, "unreadable": len(done.unreadable)}
            await record(conn, "setting", "sealed under the current key", after={"key": ring.current.id, **counts})
    return done


def check_retirable(settings: Settings, ring: Name, name: str, at: datetime) -> None:
    """Refuse the current key, one that is not there, and one that was current a moment ago."""
    keys = load(settings, ring)
    if name not in keys.keys:
        raise Refused(f"there is no key {name} in {path_of(settings, ring)}: `zena keys list` names them")
    if name == keys.current.id:
        raise Refused(f"{name} is the current key: `zena keys rotate` puts another in its place")
    age = at.timestamp() - path_of(settings, ring).stat().st_mtime
    if ring == "secret" and 0 <= age < _SETTLE:
        wait = int(_SETTLE - age) + 1
        raise Refused(
            f"the ring was changed just now, and requests may still seal under {name}: wait {wait} s", Exit.RETRY
        )


async def retire(settings: Settings, ring: Name, name: str, at: datetime, *, really: bool) -> None:
    """Take a key out of its ring for ever. Refused while anything is sealed under it; counted only, unless `really`."""
    check_retirable(settings, ring, name, at)
    with ExitStack() as held:
        if ring == "backup":  # no backup may be under way under this key
            for folder in (settings.backups_path, wal.sealed_folder(settings)):
                held.enter_context(shelf.at_work(folder))
        async with dialled(settings.dsn(Role.OPS), _APPLICATION) as conn, conn.transaction():
            _check_unused(name, ring, await sealed_under(conn) if ring == "secret" else backup_uses(settings))
            if not really:
                return
            await _record(conn, "key retired", ring, before=name, after=None)
            _changing(path_of(settings, ring), lambda path: retire_key(path, name))


def told(uses: Uses) -> str:
    """Return counts as people read them."""
    return ", ".join(f"{count} {kind}" for kind, count in uses.items())


def _check_unused(name: str, ring: Name, uses: dict[str, Uses]) -> None:
    if uses.get(name):
        help_ = "`zena keys reencrypt` brings it under the current key" if ring == "secret" else "they age out"
        raise Refused(f"{told(uses[name])} are sealed under {name}: {help_}")
    if ring == "secret" and uses.get(""):
        raise Refused(f"{told(uses[''])} name no key, and may be of this one: `zena keys reencrypt` first")


async def _record(conn: Raw, what: str, ring: Name, *, before: str, after: str | None) -> None:
    await record(conn, "setting", what, before={"ring": ring, "key": before}, after={"ring": ring, "key": after})


def _changing(path: Path, change: Callable[[Path], None]) -> None:
    try:
        change(path)
    except OSError as error:
        where = "where it is kept, put the line of `zena keys rotate --print` first, or take a retired key's line out"
        raise Refused(f"{path} cannot be changed ({error.strerror}): {where}", Exit.CONFIG) from error
