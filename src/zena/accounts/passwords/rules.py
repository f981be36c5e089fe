"""Which new passwords are refused: too short, too large, or what anybody tries first. No rules of composition."""

from collections.abc import Iterable
from typing import Final

from zena.accounts.passwords.common import is_common
from zena.kit.errors import Invalid
from zena.kit.i18n import N_

MIN_LENGTH: Final = 8
MAX_BYTES: Final = 4096
_LEAST_PART: Final = 4


def fits(password: str) -> bool:
    """Tell whether a password is of a size that can have been set at all; others are not worth a hash."""
    return 0 < len(password) <= MAX_BYTES and len(password.encode("utf-8", "surrogatepass")) <= MAX_BYTES


def check_new_password(password: str, field: str, *, about: Iterable[str] = ()) -> None:
    """Raise Invalid for `field` unless the password may be set. `about` is what others know of its owner."""
    if len(password) < MIN_LENGTH:
        raise Invalid.field(field, N_("At least %(count)s characters.", count=MIN_LENGTH), "too_short")
    if any(0xD800 <= ord(character) < 0xE000 for character in password):  # noqa: PLR2004 - lone surrogates have no bytes
        raise Invalid.field(field, N_("Some of these characters cannot be stored."), "characters")
    if not fits(password):
        raise Invalid.field(field, N_("At most %(count)s bytes.", count=MAX_BYTES), "too_long")
    if is_common(password) or _is_about(password, about):
        raise Invalid.field(field, N_("This is among the first passwords anybody would try. Choose another."), "common")


def _is_about(password: str, about: Iterable[str]) -> bool:
    """Tell whether a password is the owner's address, name or firm with nothing but figures and signs around it."""
    bare = _letters(password)
    parts = {_letters(part) for known in about for part in (known, *known.replace("@", " ").split())}
    return any(len(part) >= _LEAST_PART and bare == part for part in parts)


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())
