"""What a process holds: made once by main.py, reached through `state_of(connection)`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litestar.connection import ASGIConnection

from zena.kit.cache import Cache
from zena.kit.clock import Clock
from zena.kit.db import Database
from zena.kit.mail import Mailer
from zena.kit.maintenance import Gate
from zena.kit.pages import Cursors
from zena.kit.ratelimit import Buckets
from zena.kit.registry import Registry
from zena.kit.storage import Storage
from zena.kit.telemetry import Telemetry
from zena.kit.templates import Renderer

if TYPE_CHECKING:
    from zena.kit.realtime import Hub
    from zena.settings import LiveRing, Settings


@dataclass(slots=True)
class State:
    """The process's parts. Nothing in here belongs to one request or one tenant."""

    settings: "Settings"
    registry: Registry
    clock: Clock
    db: Database
    ring: "LiveRing"  # call it at each use: keys are rotated while we run
    cache: Cache
    cursors: Cursors
    mail: Mailer
    storage: Storage
    buckets: Buckets
    telemetry: Telemetry
    html: Renderer
    reading: Database | None = None  # measurements and statistics, as the ops_read role; None without its URL
    hub: "Hub | None" = None
    gate: Gate = field(default_factory=Gate)
    describe: Callable[[], bytes] = bytes
    _described: bytes = b""

    def described(self) -> bytes:
        """Return the API's description (OpenAPI 3.1, JSON); made when first asked for."""
        self._described = self._described or self.describe()
        return self._described

    @property
    def secret(self) -> bytes:
        """32 random bytes that name counters; `derived` makes a key per purpose.

        Those of the oldest key: somebody who waits after wrong passwords goes on waiting over a rotation.
        """
        return self.ring().oldest.secret

    @property
    def is_secure(self) -> bool:
        """Whether browsers keep Secure cookies for our address: https, or localhost."""
        return self.settings.secure_cookies


def state_of(connection: ASGIConnection[Any, Any, Any, Any]) -> State:
    state: State = connection.app.state.zena
    return state
