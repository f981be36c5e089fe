"""A Grafana dashboard of what `/api/v1/metrics?format=prometheus` gives: promises, load, database, cache, queue."""

import json
from typing import Any, Final

#: Of Grafana's model of a dashboard; newer releases raise it by themselves.
_SCHEMA: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_WIDE, _HIGH = 12, 8

#: title, unit, expression, legend. Each web process tells the same, as it reads the same database: `max` makes one.
PANELS: Final = (
    ("Budget left", "percentunit", "max by (slo) (zena_slo_budget_left)", "{{slo}}"),
    ("Burn rate, last hour", "none", 'max by (slo) (zena_slo_burn_rate{window="1h"})', "{{slo}}"),
    ("Requests by route", "reqps", "topk(10, max by (route) (zena_http_per_second))", "{{route}}"),
    (
        "Slowest routes, p95", "ms", 'topk(10, max by (route) (zena_http_milliseconds{quantile="0.95"}))', "{{route}}",
    ),
    ("Failed requests by route", "percentunit", "max by (route) (zena_http_bad_rate) > 0", "{{route}}"),
    (
        "Statements, p95", "ms",
        'topk(10, max by (fingerprint) (zena_statement_milliseconds{quantile="0.95"}))', "{{fingerprint}}",
    ),
    ("Answered from the cache", "percentunit", "max by (family) (zena_cache_hit_rate)", "{{family}}"),
    ("Jobs in the queue", "short", "max by (name, status) (zena_queue_jobs)", "{{name}}, {{status}}"),
    ("Jobs, p95", "ms", 'max by (name) (zena_job_milliseconds{quantile="0.95"})', "{{name}}"),
    ("Age of the newest counts", "s", "max(zena_slo_age_seconds)", "seconds"),
)  # fmt: skip


def grafana_dashboard() -> str:
    """Return the dashboard as JSON, to be imported; it asks which Prometheus to read."""
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    whole = {
        "title": "Zena",
        "uid": "zena",
        "tags": ["zena"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "annotations": {"list": []},
        "panels": [_state(), *(_panel(number) for number in range(len(PANELS)))],
    }
    return json.dumps(whole, indent=2) + "\n"


def _state() -> dict[str, Any]:
    """Return the row at the top: each promise by name, coloured by its state."""
    words = {"0": ("ok", "green"), "1": ("burning", "orange"), "2": ("spent", "red"), "3": ("no data", "gray")}
    options = {value: {"text": text, "color": color, "index": int(value)} for value, (text, color) in words.items()}
    defaults = {"mappings": [{"type": "value", "options": options}], "color": {"mode": "thresholds"}}
    return {
        "id": 1,
        "type": "stat",
        "title": "Promises",
        "datasource": _SOURCE,
        "gridPos": {"x": 0, "y": 0, "w": 2 * _WIDE, "h": 4},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}},
        "targets": [_target("max by (slo) (zena_slo_state)", "{{slo}}")],
    }


def _panel(number: int) -> dict[str, Any]:
    title, unit, expr, legend = PANELS[number]
    return {
        "id": number + 2,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"x": number % 2 * _WIDE, "y": 4 + number // 2 * _HIGH, "w": _WIDE, "h": _HIGH},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [_target(expr, legend)],
    }


def _target(expr: str, legend: str) -> dict[str, Any]:
    return {"refId": "A", "expr": expr, "legendFormat": legend, "datasource": _SOURCE}
