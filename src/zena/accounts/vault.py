"""Secrets that must be read again (the seeds of one-time codes), sealed with AES-GCM under a key of the ring.

A sealed value names its key, so that a rotated ring still opens it, and is bound to its owner: moved to another row it
does not open.
"""

import os
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zena.settings import KeyRing

_NONCE: Final = 12
_PURPOSE: Final = "totp"


class SealBroken(Exception):  # noqa: N818 - a fact about stored data
    """The value was sealed by a key that is gone, for somebody else, or was changed."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens with the installation's key ring."""

    ring: KeyRing

    def seal(self, owner: UUID, value: bytes) -> bytes:
        """Return the value sealed for its owner under the current key."""
        key = self.ring.current
        nonce = os.urandom(_NONCE)
        return key.id.encode() + b"\0" + nonce + AESGCM(key.derive(_PURPOSE)).encrypt(nonce, value, owner.bytes)

    def open(self, owner: UUID, sealed: bytes) -> bytes:
        """Return the value again; raise SealBroken if this owner cannot have it."""
        name, _, rest = sealed.partition(b"\0")
        try:
            key = self.ring[name.decode()]
            return AESGCM(key.derive(_PURPOSE)).decrypt(rest[:_NONCE], rest[_NONCE:], owner.bytes)
        except (KeyError, UnicodeDecodeError, InvalidTag, ValueError) as error:
            raise SealBroken("a sealed value does not open") from error
