"""Secrets sealed with AES-GCM under a key of the ring: the seeds of one-time codes, and the digests of recovery codes.

A sealed value names its key, so that a rotated ring still opens it and `actions.resealing` finds it. It is bound to its
owner: moved to another row it does not open.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zena.settings import KeyRing

_NONCE: Final = 12
_PURPOSE: Final = "totp"
_DIGEST: Final = 32


class SealBroken(Exception):  # noqa: N818 - a fact about stored data
    """The value was sealed by a key that is gone, for somebody else, or was changed."""


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens with the installation's key ring, for one purpose."""

    ring: KeyRing
    purpose: str = _PURPOSE

    def seal(self, owner: UUID, value: bytes) -> bytes:
        """Return the value sealed for its owner under the current key."""
        key = self.ring.current
        nonce = os.urandom(_NONCE)
        return key.id.encode() + b"\0" + nonce + AESGCM(key.derive(self.purpose)).encrypt(nonce, value, owner.bytes)

    def open(self, owner: UUID, sealed: bytes) -> bytes:
        """Return the value again; raise SealBroken if this owner cannot have it."""
        name, _, rest = sealed.partition(b"\0")
        try:
            key = self.ring[name.decode()]
            return AESGCM(key.derive(self.purpose)).decrypt(rest[:_NONCE], rest[_NONCE:], owner.bytes)
        except (KeyError, UnicodeDecodeError, InvalidTag, ValueError) as error:
            raise SealBroken("a sealed value does not open") from error


@dataclass(frozen=True, slots=True)
class CodeVault:
    """What is kept of recovery codes: a digest and its salt, sealed.

    Codes are short enough to be typed, so a digest alone could be tried out. A digest made *with* a key could not be
    brought under the next one, and its key never retired; one that is sealed can.
    """

    ring: KeyRing

    def seal(self, owner: UUID, code: str) -> bytes:
        """Return what is stored of a new code."""
        salt = os.urandom(_DIGEST)
        return self._vault.seal(owner, _digest(salt, owner, code) + salt)

    def fits(self, owner: UUID, stored: bytes, code: str) -> bool:
        """Tell whether this code is the stored one; SealBroken if its key is gone."""
        opened = self._open(owner, stored)
        salts = (opened[at : at + _DIGEST] for at in range(_DIGEST, len(opened), _DIGEST))
        return any(hmac.compare_digest(opened[:_DIGEST], _digest(salt, owner, code)) for salt in salts)

    def reseal(self, owner: UUID, stored: bytes) -> bytes:
        """Return the same under the current key."""
        return self._vault.seal(owner, self._open(owner, stored))

    @property
    def _vault(self) -> Vault:
        return Vault(self.ring, "recovery code")

    def _open(self, owner: UUID, stored: bytes) -> bytes:
        if (
            len(stored) == _DIGEST
        ):  # of the first release: a bare digest, made with a key of the ring, which it does not name
            return stored + b"".join(key.derive("recovery") for key in self.ring.keys.values())
        return self._vault.open(owner, stored)


def _digest(salt: bytes, owner: UUID, code: str) -> bytes:
    return hmac.digest(salt, owner.bytes + code.encode(), hashlib.sha256)
