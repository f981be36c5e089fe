"""Where "slow" begins: the runbook's thresholds, exact counters of which decide every alarm. Milliseconds."""

from functools import lru_cache
from typing import Final

DASHBOARD: Final = 500.0
API: Final = 300.0
PAGE: Final = 500.0
QUERY: Final = 100.0
JOB_WAIT: Final = 60_000.0
DELIVERY: Final = 2_000.0
#: What is slow by its nature: argon2, files as large as the limit allows.
HEAVY: Final = 2_000.0

_SLOW: Final = {"dashboard": DASHBOARD, "api": API, "heavy": HEAVY}
_DASHBOARD = ("/dashboard", "/api/v1/app/dashboard")
_HEAVY = ("/sign-in", "/set-up", "/reset", "/invitation", "/api/v1/auth", "/api/v1/app/imports", "/imports")
_OWN = ("/api/v1/health", "/api/v1/metrics", "/api/v1/ws/health", "/api/v1/observability", "/static", "/ops")
#: Lasts as long as somebody listens; how soon events come is counted event by event.
_STREAM = "/api/v1/app/events"


@lru_cache(1024)
def family_of(route: str) -> str:
    """Return dashboard, api, page, heavy or own: what a route template is measured as.

    `own` are the questions about the service itself, files and streams; they count in no objective. `heavy` is slow by
    nature.
    """
    if route.startswith(_OWN) or route == _STREAM or not route:
        return "own"
    if route.startswith(_DASHBOARD):
        return "dashboard"
    if route.startswith(_HEAVY) or "/imports" in route:
        return "heavy"
    return "api" if route.startswith("/api/") else "page"


def slow_after(family: str) -> float:
    """Return after how many milliseconds a request of this family counts as slow."""
    return _SLOW.get(family, PAGE)
