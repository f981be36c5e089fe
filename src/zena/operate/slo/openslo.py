"""The promises as OpenSLO v1 objects (github.com/OpenSLO/OpenSLO), measured by what a Prometheus has scraped from us.

The alarms are not among them: OpenSLO's conditions hold one window and no least number of events; see rules.py.
"""

from typing import Any, Final

from zena.operate.slo.objectives import OBJECTIVES, Objective
from zena.operate.slo.yaml import as_yaml

VERSION: Final = "openslo/v1"
_SOURCE: Final = "zena-prometheus"
_SERVICE: Final = "zena"
#: What is counted as it happens. The counts of longer windows would count each event many times.
_WINDOW: Final = "5m"


def openslo() -> str:
    """Return a service, its source of measurements and one SLO for each objective, as YAML documents."""
    return as_yaml(_service(), _source(), *(_slo(objective) for objective in OBJECTIVES))


def _service() -> dict[str, Any]:
    return _object("Service", _SERVICE, "Zena", {"description": "Project management for construction firms."})


def _source() -> dict[str, Any]:
    details = {"url": "http://localhost:9090"}
    return _object("DataSource", _SOURCE, "Prometheus", {"type": "Prometheus", "connectionDetails": details})


def _slo(objective: Objective) -> dict[str, Any]:
    name = objective.id.replace("_", "-")
    period = "30d" if objective.kind == "budget" else "1h"
    spec = {
        "description": f"{objective.title}: {objective.target * 100:g}% of events over {period}.",
        "service": _SERVICE,
        "indicator": {
            "metadata": {"name": name, "displayName": objective.title},
            "spec": {
                "ratioMetric": {
                    "counter": False,
                    "bad": _metric("zena_slo_bad_events", objective),
                    "total": _metric("zena_slo_events", objective),
                }
            },
        },
        "timeWindow": [{"duration": period, "isRolling": True}],
        "budgetingMethod": "Occurrences",
        "objectives": [{"displayName": objective.title, "target": objective.target}],
    }
    return _object("SLO", name, objective.title, spec)


def _metric(name: str, objective: Objective) -> dict[str, Any]:
    query = f'max({name}{{slo="{objective.id}",window="{_WINDOW}"}})'
    return {"metricSource": {"metricSourceRef": _SOURCE, "type": "Prometheus", "spec": {"query": query}}}


def _object(kind: str, name: str, title: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name, "displayName": title}, "spec": spec}
