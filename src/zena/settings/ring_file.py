"""The file of a key ring on the disk: whole or not there, for its owner only, changed by one at a time."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def create(path: Path, text: str) -> None:
    """Make the file, unless another process was first: one ring for all."""
    rewritten(path, lambda present: present or text)


def rewritten(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of the file, "" where there is none, so that a crash leaves the old or the new one."""
    place = path.resolve()  # a link stays a link
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.parent.chmod(0o711)  # the embedded database's own user must pass through
    with _held(place):
        owner = place.stat() if place.exists() else None
        present = place.read_text(encoding="ascii") if owner else ""
        wanted = change(present)
        if wanted == present:
            return
        draft = _draft(place, wanted)
        if owner is not None and os.geteuid() == 0:
            os.chown(draft, owner.st_uid, owner.st_gid)  # root rotates, and the service must still read it
        draft.replace(place)
        _settle(place.parent)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the directory, and remove what somebody who was killed has left: it may hold a key nobody knows of."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in path.parent.iterdir():
            if left.name.startswith(f".{path.name}."):
                left.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _draft(path: Path, text: str) -> Path:
    """Write a file of ours beside its final place and return it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
