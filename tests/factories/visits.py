"""A visit for code that counts or logs by it, gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from zena.kit.visit import Visit, _current


@contextmanager
def visiting(user: str | None = None) -> Iterator[Visit]:
    """Let the block be a request of `user`."""
    visit = Visit("one", user=user)
    token = _current.set(visit)
    try:
        yield visit
    finally:
        _current.reset(token)
