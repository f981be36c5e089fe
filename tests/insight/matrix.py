"""Who may see the figures: everybody of the firm but clients."""

from tests.matrix import EVERYONE, STAFF, Row

ROWS = [
    Row("GET", "/", EVERYONE, ok=303),
    Row("GET", "/dashboard", STAFF),
    Row("GET", "/api/v1/app/dashboard", STAFF),
    Row("GET", "/api/v1/app/dashboard/projects", STAFF),
    Row("GET", "/api/v1/app/dashboard/tasks", STAFF),
    Row("GET", "/api/v1/app/dashboard/team", STAFF),
    Row("GET", "/api/v1/app/projects/{project_id:uuid}/kpis", STAFF),
    Row("GET", "/api/v1/app/projects/{project_id:uuid}/health", STAFF),
]
