"""The alarms of burn.py as Prometheus rules, on what `/api/v1/metrics?format=prometheus` gives.

The counts by window come from us, so nothing is computed from scrapes: a missed scrape loses no event. Each web
process tells the same, as it reads the same database; `max` makes one of them.
"""

from collections.abc import Iterator
from typing import Any, Final

from zena.operate.slo.burn import BUDGET, LEAST_BAD, LEAST_EVENTS, RULES, Z95, alarming_share
from zena.operate.slo.objectives import OBJECTIVES, Objective
from zena.operate.slo.yaml import as_yaml

_EVENTS, _BAD = "zena:slo_events", "zena:slo_bad_events"
_SHARE, _LOWER = "zena:slo_bad_share", "zena:slo_bad_share:lower"
#: Counts that are older prove nothing: no worker counts, and no other alarm here can go off.
_STALE: Final = 300
_HOUR: Final = "1h"


def prometheus_rules() -> str:
    """Return one file of recording and alerting rules, as YAML."""
    groups = [
        {"name": "zena-slo", "interval": "30s", "rules": [*_recorded(), *_alarms()]},
        {"name": "zena-measuring", "interval": "30s", "rules": list(_blindness())},
    ]
    return as_yaml({"groups": groups})


def alert_name(objective: Objective, what: str) -> str:
    return "Zena" + "".join(word.capitalize() for word in (*objective.id.split("_"), what))


def _recorded() -> Iterator[dict[str, str]]:
    """Yield the rules that others build on, in the order in which they are evaluated."""
    n, z, share = _EVENTS, f"{Z95**2:g}", _SHARE
    spread = f"sqrt({share} * (1 - {share}) / ({n} > 0) + {z} / (4 * {n} ^ 2))"
    yield {"record": _EVENTS, "expr": "max by (slo, window) (zena_slo_events)"}
    yield {"record": _BAD, "expr": "max by (slo, window) (zena_slo_bad_events)"}
    yield {"record": _SHARE, "expr": f"{_BAD} / ({_EVENTS} > 0)"}
    # The lower end of the share's 95% interval (Wilson 1927): few events prove little.
    yield {
        "record": _LOWER,
        "expr": f"({share} + {z} / (2 * {n}) - {Z95:g} * {spread}) / (1 + {z} / {n})",
    }


def _alarms() -> Iterator[dict[str, Any]]:
    for objective in OBJECTIVES:
        if objective.kind == "goal":
            yield _missed(objective)
            continue
        for severity, rate, long, short in RULES:
            yield _burning(objective, severity, rate, (long, short))
        yield _spent(objective)


def _burning(objective: Objective, severity: str, rate: float, windows: tuple[str, str]) -> dict[str, Any]:
    long, short = windows
    share = f"{alarming_share(objective, rate):.12g}"
    expr = [
        f"{_of(_LOWER, objective, long)} > {share}",
        f"{_of(_BAD, objective, long)} >= {LEAST_BAD}",
        f"{_of(_EVENTS, objective, long)} >= {LEAST_EVENTS}",
        f"{_of(_SHARE, objective, short)} > {share}",
    ]
    told = f"the budget of 30 days burns too fast, seen over {long} and {short}"
    return _alert(objective, f"burning{long}", expr, {"severity": severity, "window": long}, told)


def _spent(objective: Objective) -> dict[str, Any]:
    expr = [
        f'max by (slo) (zena_slo_budget_left{{slo="{objective.id}"}}) <= 0',
        f"{_of(_BAD, objective, BUDGET)} >= {LEAST_BAD}",
    ]
    return _alert(objective, "spent", expr, {"severity": "ticket"}, "the budget of 30 days is spent")


def _missed(objective: Objective) -> dict[str, Any]:
    expr = [
        f"{_of(_LOWER, objective, _HOUR)} > {1 - objective.target:.12g}",
        f"{_of(_EVENTS, objective, _HOUR)} >= {LEAST_EVENTS}",
    ]
    labels = {"severity": "ticket", "window": _HOUR}
    return _alert(objective, "missed", expr, labels, "missed over the last hour")


def _blindness() -> Iterator[dict[str, Any]]:
    """Yield what tells that nothing above can go off."""
    told = {"ZenaAbsent": ("absent(zena_slo_state)", "no Zena is scraped: is it up, and may the scraper ask?")}
    told["ZenaUncounted"] = (
        f"max(zena_slo_age_seconds) > {_STALE}",
        "no worker has counted for five minutes: `zena status` names the processes",
    )
    for name, (expr, summary) in told.items():
        annotations = {"summary": summary}
        yield {
            "alert": name, "expr": expr, "for": "5m", "labels": {"severity": "page"}, "annotations": annotations,
        }  # fmt: skip


def _alert(objective: Objective, what: str, expr: list[str], labels: dict[str, str], told: str) -> dict[str, Any]:
    description = f"`zena slo check {objective.id}` shows where it stands."
    return {
        "alert": alert_name(objective, what),
        "expr": " and on (slo) ".join(expr),
        "labels": {"slo": objective.id, **labels},
        "annotations": {"summary": f"{objective.title}: {told}", "description": description},
    }


def _of(name: str, objective: Objective, window: str) -> str:
    return f'{name}{{slo="{objective.id}",window="{window}"}}'
