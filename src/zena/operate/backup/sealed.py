"""Sealed streams: AES-256-GCM in pieces, under a key of one archive, derived from a key kept elsewhere.

A file is a head (magic, format, length of the file, id of the key, salt) and pieces of 1 MiB, each with its tag. The
nonce of a piece is its number and whether it is the last, so a piece that was changed, moved, left out or cut off
does not open.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from zena.kit.exits import Exit
from zena.operate.backup.refusal import Refused
from zena.settings import Key, KeyRing

FORMAT: Final = 1
PIECE: Final = 1024 * 1024
_TAG: Final = 16
_MAGIC: Final = b"ZENABKUP"
_SALT: Final = 32
_FIXED: Final = struct.Struct(">8sBQB")  # magic, format, length of the file, length of the key's id


class SealedWriter:
    """A file open for writing; what is written cannot be read without the key. `close` makes it durable."""

    def __init__(self, path: Path, key: Key) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        salt, name = os.urandom(_SALT), key.id.encode()
        self._names = name + salt
        self._aead = _aead(key, salt)
        self._held = bytearray()
        self._number = 0
        self._file.write(_FIXED.pack(_MAGIC, FORMAT, 0, len(name)) + self._names)

    def write(self, data: bytes) -> int:
        self._held += data
        while len(self._held) > PIECE:
            self._seal(bytes(self._held[:PIECE]), last=False)
            del self._held[:PIECE]
        return len(data)

    def close(self) -> None:
        """Seal the last piece, note the length in the head, and wait until all is on disk."""
        self._seal(bytes(self._held), last=True)
        size = self._file.tell()
        self._file.seek(0)
        self._file.write(_FIXED.pack(_MAGIC, FORMAT, size, len(self._names) - _SALT))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        self._file.close()

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._file.write(self._aead.encrypt(_nonce(self._number, last=last), piece, self._names))
        self._number += 1


def sealed_with(path: Path) -> str | None:
    """Return the id of the key that sealed a file; None if it is not one of ours."""
    with path.open("rb") as stream:
        fixed = stream.read(_FIXED.size)
        if len(fixed) < _FIXED.size or not fixed.startswith(_MAGIC):
            return None
        return stream.read(_FIXED.unpack(fixed)[3]).decode(errors="replace")


class SealedReader:
    """A sealed file open for reading. Refused when it is not ours, cut off, changed, or its key is not there."""

    def __init__(self, path: Path, ring: KeyRing) -> None:
        self._path = path
        self._file = path.open("rb")
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._names, self._aead = self._head(ring)
        except BaseException:
            self._file.close()
            raise
        self._number = 0
        self._held = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only at the end."""
        while len(self._held) < size and not self._ended:
            self._held += self._open_piece()
        data, self._held = self._held[:size], self._held[size:]
        return data

    def drain(self) -> None:
        """Read to the end, so that the last piece has been seen too."""
        while self.read(PIECE):
            pass

    def close(self) -> None:
        self._file.close()

    def _head(self, ring: KeyRing) -> tuple[bytes, AESGCM]:
        fixed = self._file.read(_FIXED.size)
        if len(fixed) < _FIXED.size or not fixed.startswith(_MAGIC):
            raise Refused(f"{self._path.name} is no backup of Zena")
        _, number, size, length = _FIXED.unpack(fixed)
        if number > FORMAT:
            raise Refused(f"{self._path.name} has format {number}, of a newer release; this one reads {FORMAT}")
        if size != self._size:
            raise Refused(
                f"{self._path.name} is cut off or damaged: {self._size} bytes, and {size or 'more'} were written"
            )
        names = self._file.read(length + _SALT)
        name = names[:length].decode(errors="replace")
        if name not in ring.keys:
            raise Refused(
                f"{self._path.name} was sealed with the key {name}, which is not in the backup key file: put that "
                "file back, or set ZENA_BACKUP_KEY_FILE",
                Exit.CONFIG,
            )
        return names, _aead(ring[name], names[length:])

    def _open_piece(self) -> bytes:
        start = self._file.tell()
        sealed = self._file.read(PIECE + _TAG)
        self._ended = self._file.tell() == self._size
        try:
            piece = self._aead.decrypt(_nonce(self._number, last=self._ended), sealed, self._names)
        except (InvalidTag, ValueError) as error:
            where = f"between byte {start} and byte {start + len(sealed)} of {self._size}"
            raise Refused(f"{self._path.name} is damaged {where}: it was changed after it was written") from error
        self._number += 1
        return piece


def _aead(key: Key, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"zena backup archive").derive(key.derive("backup")))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
