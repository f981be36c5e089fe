"""Random values that are shown once, and the digests that are kept of them."""

import hashlib
import hmac
import secrets
from typing import Final

#: Bytes of every random value that opens something: 256 bits (ASVS 11.5.1 wants 128).
_BYTES: Final = 32

#: What an API token starts with, so that secret scanners and people recognise one.
TOKEN_PREFIX: Final = "zat_"  # noqa: S105 - the prefix of tokens, not a token


def new_secret(prefix: str = "") -> str:
    """Return a fresh random value for a link, a cookie or a token."""
    return prefix + secrets.token_urlsafe(_BYTES)


def new_form_secret() -> bytes:
    """Return the secret that binds a session's forms to it."""
    return secrets.token_bytes(_BYTES)


def digest(value: str) -> bytes:
    """Return what is stored of a random value. Enough for 256 random bits; passwords and codes need more."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


def derived(secret: bytes, purpose: str) -> bytes:
    """Return the installation's key for one purpose; keys of two purposes tell nothing about each other."""
    return hmac.digest(secret, f"zena/{purpose}".encode(), hashlib.sha256)
