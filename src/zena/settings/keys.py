"""The ring of secret keys: made at first start, rotated by adding a line, never shipped.

One key per line, `id base64`, newest first. The first signs and seals; the others still open what they sealed.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zena.settings.model import Settings
from zena.settings.places import why_not_writable
from zena.settings.problems import Problem, SettingsError
from zena.settings.ring_file import create, rewritten

_SIZE = 32
#: 32 random bytes have some 30 different values; fewer than this never happens by chance.
_LEAST_DISTINCT = 16
_VARIABLE = "ZENA_KEY_FILE"
_BACKUP_VARIABLE = "ZENA_BACKUP_KEY_FILE"


@dataclass(frozen=True, slots=True)
class Key:
    """One secret of 32 bytes. Its repr shows the id only."""

    id: str
    secret: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose; keys of two purposes tell nothing about each other."""
        return hmac.new(self.secret, f"zena/{purpose}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys by id; `current` is the one to use for anything new."""

    current: Key
    keys: Mapping[str, Key]

    @property
    def oldest(self) -> Key:
        """The key for names that must stay the same over a rotation; they change when it is retired."""
        return list(self.keys.values())[-1]

    def __getitem__(self, key_id: str) -> Key:
        return self.keys[key_id]


def load_keys(settings: Settings) -> KeyRing:
    """Read the key ring, making it (0600) at the very first start. SettingsError if it cannot be trusted."""
    return _load(settings.keys_path, _VARIABLE, make=True)


def load_backup_keys(settings: Settings, *, make: bool) -> KeyRing:
    """Read the ring that seals backups. SettingsError if it cannot be trusted, or is not there and not to be made."""
    return _load(settings.backup_key_path, _BACKUP_VARIABLE, make=make)


def add_keys(settings: Settings, found: str) -> None:
    """Add the keys of another ring behind our own, so that what they sealed opens again; a lost ring comes back whole.

    SettingsError if it is no ring.
    """
    path = settings.keys_path
    _parse(path, _VARIABLE, found.splitlines())

    def with_those(present: str) -> str:
        there = present.splitlines()
        missing = [line for line in found.splitlines() if line.strip() and line not in there]
        return "\n".join([*there, *missing]) + "\n" if missing else present

    rewritten(path, with_those)


def rotate_ring(path: Path, line: str) -> None:
    """Put a key first in a ring; what the others sealed still opens. OSError if the file is not ours to change."""
    rewritten(path, lambda present: line + present)


def retire_key(path: Path, name: str) -> None:
    """Take one key out of a ring for ever; KeyError for the first one, and for one that is not there."""

    def without(present: str) -> str:
        ring = _parse(path, _VARIABLE, present.splitlines())
        if name == ring.current.id or name not in ring.keys:
            raise KeyError(name)
        return "".join(line for line in present.splitlines(keepends=True) if line.split()[:1] != [name])

    rewritten(path, without)


def new_line() -> str:
    """Return a fresh key as a line of the ring."""
    return (
        f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)} {base64.b64encode(secrets.token_bytes(_SIZE)).decode()}\n"
    )


def ring_problems(path: Path) -> list[Problem]:
    """Return why the ring at this place cannot be trusted, or could not be made there. Makes nothing."""
    try:
        if path.exists():
            read_ring(path, _VARIABLE)
            return []
    except SettingsError as error:
        return list(error.problems)
    except OSError as error:
        return [_unusable(path, _VARIABLE, error.strerror or str(error))]
    why = why_not_writable(path.parent)
    return [_unusable(path, _VARIABLE, f"its directory {why}")] if why else []


def _load(path: Path, variable: str, *, make: bool) -> KeyRing:
    try:
        if make and not path.exists():
            create(path, new_line())
        return read_ring(path, variable)
    except OSError as error:
        raise SettingsError([_unusable(path, variable, error.strerror or str(error))]) from error


def read_ring(path: Path, variable: str = _VARIABLE) -> KeyRing:
    """Read a ring that is there. SettingsError if it cannot be trusted, OSError if it cannot be read."""
    if path.stat().st_mode & 0o077:
        raise SettingsError([Problem(variable, f"{path}, readable by others", f"chmod 600 {path}")])
    try:
        return _parse(path, variable, path.read_text(encoding="ascii").splitlines())
    except UnicodeDecodeError as error:
        raise SettingsError([_unusable(path, variable, "it is not text")]) from error


def _unusable(path: Path, variable: str, reason: str) -> Problem:
    return Problem(variable, f"{path} ({reason})", "a readable key ring")


def _parse(path: Path, variable: str, lines: list[str]) -> KeyRing:
    keys: dict[str, Key] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path}, line {number}"
        name, _, encoded = line.strip().partition(" ")
        secret = _decode(encoded)
        if secret is None or name in keys:
            problems.append(Problem(variable, where, "`id base64`, with 32 bytes and an id of its own"))
        elif len(set(secret)) < _LEAST_DISTINCT:
            problems.append(Problem(variable, where, "random bytes; `openssl rand -base64 32` makes some"))
        else:
            keys[name] = Key(name, secret)
    if not keys and not problems:
        problems.append(Problem(variable, f"{path}, without a key", "at least one line `id base64`"))
    if problems:
        raise SettingsError(problems)
    return KeyRing(next(iter(keys.values())), keys)


def _decode(encoded: str) -> bytes | None:
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == _SIZE else None
