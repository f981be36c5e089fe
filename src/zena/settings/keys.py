"""The ring of secret keys: made at first start, rotated by adding a line, never shipped.

One key per line, `id base64`, newest first. The first signs and seals; the others still open what they sealed.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zena.settings.model import Settings
from zena.settings.places import why_not_writable
from zena.settings.problems import Problem, SettingsError

_SIZE = 32
#: 32 random bytes have some 30 different values; fewer than this never happens by chance.
_LEAST_DISTINCT = 16
_VARIABLE = "ZENA_KEY_FILE"


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

    def __getitem__(self, key_id: str) -> Key:
        return self.keys[key_id]


def load_keys(settings: Settings) -> KeyRing:
    """Read the key ring, making it (0600) at the very first start. SettingsError if it cannot be trusted."""
    path = settings.keys_path
    try:
        if not path.exists():
            _create(path)
        return _read(path)
    except OSError as error:
        raise SettingsError([_unusable(path, error.strerror or str(error))]) from error


def ring_problems(path: Path) -> list[Problem]:
    """Return why the ring at this place cannot be trusted, or could not be made there. Makes nothing."""
    try:
        if path.exists():
            _read(path)
            return []
    except SettingsError as error:
        return list(error.problems)
    except OSError as error:
        return [_unusable(path, error.strerror or str(error))]
    why = why_not_writable(path.parent)
    return [_unusable(path, f"its directory {why}")] if why else []


def _unusable(path: Path, reason: str) -> Problem:
    return Problem(_VARIABLE, f"{path} ({reason})", "a readable key ring")


def _read(path: Path) -> KeyRing:
    if path.stat().st_mode & 0o077:
        raise SettingsError([Problem(_VARIABLE, f"{path}, readable by others", f"chmod 600 {path}")])
    try:
        return _parse(path, path.read_text(encoding="ascii").splitlines())
    except UnicodeDecodeError as error:
        raise SettingsError([_unusable(path, "it is not text")]) from error


def new_line() -> str:
    """Return a fresh key as a line of the ring."""
    return (
        f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)} {base64.b64encode(secrets.token_bytes(_SIZE)).decode()}\n"
    )


def _create(path: Path) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o711)  # the embedded database's own user must pass through
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(new_line())
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, path)  # unlike rename, fails where another process was first: one ring for all
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parse(path: Path, lines: list[str]) -> KeyRing:
    keys: dict[str, Key] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path}, line {number}"
        name, _, encoded = line.strip().partition(" ")
        secret = _decode(encoded)
        if secret is None or name in keys:
            problems.append(Problem(_VARIABLE, where, "`id base64`, with 32 bytes and an id of its own"))
        elif len(set(secret)) < _LEAST_DISTINCT:
            problems.append(Problem(_VARIABLE, where, "random bytes; `openssl rand -base64 32` makes some"))
        else:
            keys[name] = Key(name, secret)
    if not keys and not problems:
        problems.append(Problem(_VARIABLE, f"{path}, without a key", "at least one line `id base64`"))
    if problems:
        raise SettingsError(problems)
    return KeyRing(next(iter(keys.values())), keys)


def _decode(encoded: str) -> bytes | None:
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == _SIZE else None
