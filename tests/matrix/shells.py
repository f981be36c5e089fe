"""Rows of the routes that belong to no slice: health, description of the API, static files, the event stream."""

from tests.matrix import EVERYONE, Row

ROWS = [
    Row("GET", "/api/v1/health", EVERYONE, anonymous=200),
    Row("GET", "/api/v1/health/live", EVERYONE, anonymous=200),
    Row("GET", "/api/v1/health/ready", EVERYONE, anonymous=200),
    Row("GET", "/api/v1/health/detail", other=403),
    Row("GET", "/api/v1/ws/health", EVERYONE, anonymous=200),
    # For operators, and for callers on this machine: tests/operate.
    Row("GET", "/api/v1/metrics", other=403),
    Row("GET", "/api/v1/observability/request/{request_id:str}", other=403),
    Row("GET", "/api/v1/openapi.json", EVERYONE),
    Row("GET", "/docs/api", EVERYONE),
    Row("GET", "/static/{version:str}/{path:path}", EVERYONE, other=404, ok=404, anonymous=404),
    # Without a channel the stream is refused; with one it never ends: tests/kit/test_realtime_sse.py.
    Row("GET", "/api/v1/app/events", EVERYONE, ok=422),
]


async def furnish(state: object, firm: object) -> dict[str, str]:
    return {"version": "0", "path": "nothing.css", "request_id": "none", "number": "1"}
