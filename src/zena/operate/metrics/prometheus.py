"""The report in the Prometheus text format. Gauges of the window: counters would fall whenever old data is dropped."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_QUANTILES = (("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms"))
_UP_STATES = {"ok": 0, "burning": 1, "exhausted": 2, "no_data": 3}


def as_prometheus(report: Mapping[str, Any]) -> str:
    """Return the report as text; every family of samples with its help and type."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield from _timed("zena_http", "Requests", report["http"]["routes"], "route")
    yield from _timed("zena_statement", "Statements by fingerprint", report["database"]["costliest"], "fingerprint")
    yield from _timed("zena_job", "Runs of jobs", report["queue"]["jobs"], "name")
    yield from _family(
        "zena_cache_hit_rate", "Share of look-ups answered from the cache",
        (({"family": row["family"]}, row["hit_rate"]) for row in report["cache"]["families"]),
    )  # fmt: skip
    yield from _family(
        "zena_queue_jobs", "Jobs in the queue",
        (({"name": row["entrypoint"], "status": row["status"]}, row["jobs"]) for row in report["queue"]["waiting"]),
    )  # fmt: skip
    yield from _live(report["realtime"])
    attempts = report["security"]["cross_tenant"]
    yield from _family(
        "zena_cross_tenant_attempts", "Attempts on other firms, by severity",
        (({"severity": severity}, attempts[severity]) for severity in ("low", "high")),
    )  # fmt: skip
    yield from _family(
        "zena_slo_state", "0 ok, 1 burning, 2 exhausted, 3 no data",
        (({"slo": row["id"]}, _UP_STATES[row["state"]]) for row in report["slo"]),
    )  # fmt: skip
    yield from _family(
        "zena_slo_budget_left", "Share of the 30 day budget that is left",
        (({"slo": row["id"]}, row["budget_left"]) for row in report["slo"]),
    )  # fmt: skip
    windows = [
        ({"slo": row["id"], "window": name}, one) for row in report["slo"] for name, one in row["windows"].items()
    ]
    yield from _family(
        "zena_slo_burn_rate", "How many times faster than allowed the budget is spent",
        ((labels, one["burn"]) for labels, one in windows),
    )  # fmt: skip
    yield from _family("zena_slo_events", "Events of the window", ((labels, one["total"]) for labels, one in windows))
    yield from _family(
        "zena_slo_bad_events", "Events of the window that were not good",
        ((labels, one["total"] - one["good"]) for labels, one in windows),
    )  # fmt: skip
    yield from _family(
        "zena_slo_age_seconds", "Age of the newest counts, which a worker makes each minute",
        [({}, report["slo_age_seconds"])],
    )  # fmt: skip


def _live(realtime: Mapping[str, Any]) -> Iterator[str]:
    there = [
        ({"role": one["role"], "host": one["host"], "pid": str(one["pid"])}, one["live"])
        for one in realtime["processes"]
        if one["alive"]
    ]
    for name, text in (
        ("connections", "Live connections"),
        ("subscriptions", "Channels listened to"),
        ("tail_seconds", "Seconds since the outbox was read, where somebody listens"),
    ):
        yield from _family(f"zena_live_{name}", text, ((labels, live[name]) for labels, live in there))
    yield from _family(
        "zena_live_closes", "Live connections that ended, by code and reason",
        (({"code": code}, count) for code, count in realtime["closes"].items()),
    )  # fmt: skip


def _timed(name: str, what: str, rows: Iterable[Mapping[str, Any]], label: str) -> Iterator[str]:
    rows = list(rows)
    yield from _family(f"{name}_per_second", f"{what} per second", (({label: r[label]}, r["per_second"]) for r in rows))
    yield from _family(
        f"{name}_bad_rate", f"{what}: share that failed", (({label: r[label]}, r["bad_rate"]) for r in rows)
    )
    yield from _family(
        f"{name}_milliseconds", f"{what}: duration by quantile",
        (({label: r[label], "quantile": q}, r[key]) for r in rows for q, key in _QUANTILES),
    )  # fmt: skip


def _family(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float | None]]) -> Iterator[str]:
    yield f"# HELP {name} {text}."
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        if value is not None:
            told = ",".join(f"{key}={_quoted(text)}" for key, text in labels.items())
            yield f"{name}{{{told}}} {value}" if told else f"{name} {value}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
