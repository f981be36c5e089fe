"""What never reaches a log line: secrets, endless texts, and characters that make one line look like two."""

import re
from collections.abc import MutableMapping
from typing import Any, Final

Line = MutableMapping[str, Any]

MASK: Final = "***"
_MAX_TEXT: Final = 8_000

_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[_.-])(password|passwd|secret|token|authorization|cookie|cookies|ticket|otp|totp|api_?key|private_key|dsn)$"
)
_SECRET_TEXT: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"), rf"\1 {MASK}"),
    (re.compile(r"(://[^/@\s:]{0,200}:)[^@/\s]{1,500}@"), rf"\1{MASK}@"),
    (
        re.compile(
            r"(?i)\b((?:__host-)?zena(?:_plain)?|[a-z_]*(?:token|secret|password|ticket|signature))=[^&\s\"';]+"
        ),
        rf"\1={MASK}",
    ),
    # An opaque run of 40 and more with digits and both cases: a session, a token, a link. UUIDs and hashes are shorter
    # or of one case.
    (re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{40,}"), MASK),
)
# Line breaks, terminal escapes and bidi overrides: what could make one line look like two, or like another.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def redact(_: Any, __: str, line: Line) -> Line:
    """Mask secrets by name and by shape, cut long texts, and write control characters as escapes."""
    for name, value in line.items():
        if not name.startswith("_"):  # structlog's own record and origin
            line[name] = MASK if _SECRET_NAME.search(name) and value is not None else _clean(value)
    return line


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {str(k): MASK if _SECRET_NAME.search(str(k)) and v is not None else _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean_text(str(value))


def clean_text(text: str) -> str:
    """Return a text cut to a bearable length, its secrets masked, on one line."""
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]}... ({len(text)} characters)"
    for pattern, masked in _SECRET_TEXT:
        text = pattern.sub(masked, text)
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
