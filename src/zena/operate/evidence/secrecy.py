"""Nothing that opens anything leaves with the evidence: names, shapes, and the very values this installation holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import SecretStr

from zena.kit.logs import MASK, redact

if TYPE_CHECKING:
    from zena.settings import Settings

#: Shorter words would be cut out of innocent text.
_SHORTEST: Final = 8


def known_secrets(settings: "Settings") -> list[str]:
    """Return the secrets in the settings and the words of the key files, longest first."""
    found = {word for value in dict(settings).values() if isinstance(value, SecretStr) for word in _of(value)}
    folder = settings.data_dir / "secrets"
    for path in (settings.keys_path, settings.backup_key_path, *sorted(folder.glob("*"))):
        found |= set(_words(path))
    return sorted((word for word in found if len(word) >= _SHORTEST), key=lambda word: (-len(word), word))


def without_secrets(data: Any) -> Any:
    """Return a structure of plain values with everything masked that is named or shaped like a secret."""
    return redact(None, "", {"data": data})["data"]


def line_without_secrets(line: str) -> str:
    """Return one line of a log, JSON or text, with what looks like a secret masked."""
    try:
        data = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        data = line
    plain = without_secrets(data)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def scrubbed(text: str, secrets: list[str]) -> str:
    """Return a text without the given values."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _of(value: SecretStr) -> Iterator[str]:
    """The password of a URL, the path of one to which things are posted, and whatever is no URL as it is."""
    secret = value.get_secret_value()
    try:
        parts = urlsplit(secret)
        password = parts.password
    except ValueError:
        return
    if "://" not in secret:
        yield secret
    elif parts.scheme in {"http", "https"}:
        yield from (secret, parts.path)
    if password:
        yield from (password, unquote(password))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []
