"""Rules for text that people type: what is refused, what is kept as typed, and how names are put in order."""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote, urlsplit

from zena.kit.collation import sort_key
from zena.kit.errors import FieldError, Invalid

__all__ = ["clean_name", "clean_text", "email_address", "isolate", "required_text", "safe_next", "sort_key"]

NAME_LENGTH: Final = 255
TEXT_LENGTH: Final = 20_000
EMAIL_LENGTH: Final = 254

# C0 and C1 controls, lone surrogates: Postgres refuses some, terminals obey some. Texts may hold line breaks and tabs.
_NAME_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TEXT_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Mn", "Me", "Zl", "Zp", "Zs"})
_INVISIBLE_LETTERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # drawn as nothing, yet letters

_EMAIL_LOCAL: Final = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x20\x7f]{1,64}")
_EMAIL_DOMAIN: Final = re.compile(
    r"(?=[^@]{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)
_NEXT_LENGTH: Final = 2_000
_FSI, _PDI = "\u2068", "\u2069"


def clean_name(value: str, field: str, max_length: int = NAME_LENGTH) -> str:
    """Return a one-line name, trimmed, in NFC; raise Invalid for `field` when blank, too long or holding controls."""
    if _NAME_FORBIDDEN.search(value):
        raise _refused(field, "characters", "Control characters and line breaks are not allowed here.")
    name = unicodedata.normalize("NFC", value).strip()
    if not _visible(name):
        raise _refused(field, "blank", "This must not be empty.")
    if len(name) > max_length:
        raise _refused(field, "too_long", f"At most {max_length} characters.")
    return name


def clean_text(value: str, field: str, max_length: int = TEXT_LENGTH) -> str:
    """Return a longer text as typed, with plain line feeds; raise Invalid for controls, lone surrogates and excess.

    Bidi marks and zero-width characters are kept: they are part of some languages. Pages isolate them with <bdi>.
    """
    if len(value) > max_length:
        raise _refused(field, "too_long", f"At most {max_length} characters.")
    if _TEXT_FORBIDDEN.search(value):
        raise _refused(field, "characters", "Control characters are not allowed here.")
    return value.replace("\r\n", "\n").replace("\r", "\n")


def required_text(value: str, field: str, max_length: int = TEXT_LENGTH) -> str:
    """`clean_text` for a text that must show something, such as a comment."""
    text = clean_text(value, field, max_length)
    if not _visible(text):
        raise _refused(field, "blank", "This must not be empty.")
    return text


def email_address(value: str, field: str = "email") -> str:
    """Return one address in lower case; raise Invalid for lists, display names, quoted parts and address literals.

    Accounts are found by this form. The domain is ASCII (punycode for others), so that look-alikes stay apart.
    """
    address = unicodedata.normalize("NFC", value.strip())
    local, _, domain = address.rpartition("@")
    domain = domain.lower()
    fits = len(address) <= EMAIL_LENGTH and len(address.encode("utf-8", "replace")) <= EMAIL_LENGTH
    if not (fits and _EMAIL_LOCAL.fullmatch(local) and _EMAIL_DOMAIN.fullmatch(domain) and _plain_local(local)):
        raise _refused(field, "email", "Enter one e-mail address, such as name@example.com.")
    return f"{local.casefold()}@{domain}"


def safe_next(path: str | None, default: str = "/") -> str:
    """Return a path of this site to go to next, or the default for everything that could lead elsewhere (C14)."""
    if not path or len(path) > _NEXT_LENGTH or not path.isascii() or not path.isprintable():
        return default
    seen = unquote(path)
    if path[0] != "/" or "\\" in seen or seen.startswith(("//", "/%")) or not seen.isprintable():
        return default
    try:
        parts = urlsplit(path)
    except ValueError:
        return default
    leads_away = parts.scheme or parts.netloc or "//" in unquote(unquote(parts.path)) or "/../" in f"{seen}/"
    return default if leads_away else path


def isolate(text: str) -> str:
    """Wrap a text so that its direction marks cannot reorder what stands around it: for mails, titles and terminals."""
    return f"{_FSI}{text}{_PDI}"


def _visible(text: str) -> bool:
    return any(
        unicodedata.category(character) not in _INVISIBLE_CATEGORIES and character not in _INVISIBLE_LETTERS
        for character in text
    )


def _plain_local(local: str) -> bool:
    """Tell whether the part before the @ is a dot-atom of visible characters (letters of any script may stand in it).

    Characters that only look like others (fullwidth, long s, ligatures) would fold into somebody else's address.
    """
    if unicodedata.normalize("NFKC", local) != local:
        return False
    dots_fine = not (local.startswith(".") or local.endswith(".") or ".." in local)
    return dots_fine and all(unicodedata.category(c)[0] in "LNPSM" for c in local)


def _refused(field: str, code: str, message: str) -> Invalid:
    return Invalid([FieldError(field, code, message)])
