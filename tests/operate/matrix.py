"""The operators' console is closed to every role of every firm: tests/operate/test_console.py opens it."""

from tests.matrix import Row

PAGES = (
    "",
    "/incidents",
    "/incidents/{number:int}",
    "/runbook",
    "/requests",
    "/requests/{request_id:str}",
    "/queries",
    "/cache",
    "/queue",
    "/realtime",
    "/tenants",
    "/logs",
    "/backups",
    "/changes",
    "/settings",
)

VISIT = "/ops/tenants/{tenant_id:uuid}/visit"

ORDERS = "/ops/incidents/{number:int}/orders"

ROWS = [
    *(Row("GET", f"/ops{page}", other=403) for page in PAGES),
    Row("POST", ORDERS, other=403, form=lambda _: {"kind": "acknowledge"}),
    Row("GET", VISIT, other=403),
    Row("POST", VISIT, other=403, form=lambda _: {"reason": "Request 4711: no tasks", "minutes": "60"}),
]
