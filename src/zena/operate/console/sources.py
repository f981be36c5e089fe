"""Where the console shows more of what an incident's evidence comes from."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_REQUESTS: Final = "/ops/requests"
#: Page by the source of evidence, as the symptoms name it. Of the others the command beside the cause shows more.
PAGES: Final[Mapping[str, str]] = {
    "attempts": "/ops/logs",
    "changes": "/ops/changes",
    "closes": "/ops/realtime",
    "errors": "/ops/logs",
    "found and computed again": "/ops/cache",
    "heartbeat": "/ops",
    "heartbeats": "/ops",
    "held jobs": "/ops/queue",
    "kept requests": _REQUESTS,
    "misses by reason": "/ops/cache",
    "one firm tried on another": "/ops/tenants",
    "plan as zena_app": "/ops/queries",
    "pools": "/ops/queries",
    "process": "/ops/realtime",
    "queue": "/ops/queue",
    "requests": _REQUESTS,
    "statements": "/ops/queries",
    "the bill of an hour": _REQUESTS,
}


def page_of(source: str, scope: str = "") -> str | None:
    """Return the page that shows a source, of one route where the incident is about one (`GET /dashboard`)."""
    page = PAGES.get(source)
    route = scope.partition(" ")[2]
    return f"{page}?route={quote(route)}" if page == _REQUESTS and route.startswith("/") else page
