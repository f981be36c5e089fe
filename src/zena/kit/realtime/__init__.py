"""Live updates: each process reads the outbox itself and tells those who listen and may see."""

from zena.kit.realtime.doorman import Doorman, Entrant
from zena.kit.realtime.hub import Hub
from zena.kit.realtime.limits import Limits
from zena.kit.realtime.sse import event_stream
from zena.kit.realtime.ws import ws_handler

#: What main.py mounts.
ROUTES = (ws_handler, event_stream)

__all__ = ["ROUTES", "Doorman", "Entrant", "Hub", "Limits"]
