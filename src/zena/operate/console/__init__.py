"""The operators' console: the whole installation in pages, for platform staff only (J09)."""

from zena.operate.console import incidents, load, logs, orders, overview, records, visit

ROUTES = [
    *overview.ROUTES, *incidents.ROUTES, *orders.ROUTES, *load.ROUTES, *logs.ROUTES, *records.ROUTES, *visit.ROUTES,
]  # fmt: skip
