"""`zena slo`: are the promises kept? The exit code answers: 0 ok, 1 burning, 2 exhausted, 3 no data."""

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zena.cli import CommandError, ask_as, say, settings
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.slo.burn import Status

app = typer.Typer(help="Service levels: budgets, burn rates, alerts.", no_args_is_help=True, add_completion=False)

_CODES: Final = {"ok": 0, "burning": 1, "exhausted": 2, "no_data": 3}
#: What has not been counted yet is counted by the command itself: it tells the truth even if no worker runs.
_RECENT: Final = timedelta(minutes=15)


@app.callback()
def slo() -> None:
    """Service levels: budgets, burn rates, alerts."""


@app.command()
def check(
    only: Annotated[str | None, typer.Argument(help="One objective; all otherwise.")] = None,
    freshness: Annotated[
        int | None, typer.Option(min=1, help="Count as no data what is older than this, seconds.")
    ] = None,
    alerts: Annotated[bool, typer.Option(help="Let burn rates count; without them only spent budgets do.")] = True,
) -> None:
    """Print each objective with its budget and burn rates; exit 1 burning, 2 exhausted, 3 no data.

    Example: zena slo check --freshness 300 --json
    """
    now = SystemClock().now()
    found, age = ask_as(Role.OPS, lambda conn: _measure(conn, now, settings().pace))
    if only is not None:
        found = [status for status in found if status.objective.id == only]
        if not found:
            raise CommandError(f"there is no objective {only!r}: `zena slo check` names them", Exit.USAGE)
    stale = freshness is not None and (age is None or age > freshness)
    _tell(found, age, stale=stale)
    raise typer.Exit(3 if stale else _code(found, alerts=alerts))


class Format(StrEnum):
    """Whose language the promises are told in."""

    OPENSLO = "openslo"
    PROMETHEUS = "prometheus"
    GRAFANA = "grafana"


@app.command()
def export(
    format: Annotated[Format, typer.Option("--format", help="openslo, prometheus (rules) or grafana (a dashboard).")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Print the promises for other tools: OpenSLO v1, Prometheus recording and alerting rules, a Grafana dashboard.

    Needs no database. Exit 74 when the file cannot be written.

    Example: zena slo export --format prometheus --out zena.rules.yml
    """
    text = _exported(format)
    if out is None:
        say({"format": format.value, "content": text}, text.rstrip("\n"))
        return
    out.write_text(text, encoding="utf-8")
    say({"format": format.value, "path": str(out.absolute())}, f"written to {out}")


def _exported(wanted: Format) -> str:
    from zena.operate.slo.dashboard import grafana_dashboard
    from zena.operate.slo.openslo import openslo
    from zena.operate.slo.rules import prometheus_rules

    makers = {Format.OPENSLO: openslo, Format.PROMETHEUS: prometheus_rules, Format.GRAFANA: grafana_dashboard}
    return makers[wanted]()


async def _measure(conn: "Raw", now: datetime, pace: float) -> "tuple[list[Status], float | None]":
    from zena.operate.slo.burn import freshness, statuses
    from zena.operate.telemetry.rollup import count_objectives

    await count_objectives(conn, now - _RECENT, now)
    return await statuses(conn, now, pace), await freshness(conn, now)


def _code(found: "list[Status]", *, alerts: bool) -> int:
    """Return the worst code; objectives without traffic count only where there is nothing else."""
    states = {status.state for status in found}
    if not alerts:
        states = {"ok" if state == "burning" else state for state in states}
    for state in ("exhausted", "burning", "ok"):
        if state in states:
            return _CODES[state]
    return _CODES["no_data"]


def _tell(found: "list[Status]", age: float | None, *, stale: bool) -> None:
    from zena.operate.slo.burn import as_json

    data: dict[str, Any] = {"fresh_seconds": age, "stale": stale, "objectives": [as_json(status) for status in found]}
    lines = [_HEAD, *(_line(status) for status in found)]
    few = [s.objective.id for s in found if s.state == "ok" and s.left is not None and s.left <= 0]
    if few:
        lines.append(f"too few bad events to tell, whatever is left: {', '.join(few)}")
    lines += [f"! {s.objective.id}: {a.severity}, burning {a.burn}x over {a.window}" for s in found for a in s.alerts]
    newest = "no measurements yet" if age is None else f"newest measurement {age:.0f} s ago"
    say(data, "\n".join([*lines, newest + (": stale" if stale else "")]))


_HEAD: Final = (
    f"{'objective':<12}{'promise':>9}  {'state':<10}{'budget left':>12}{'burn 5m':>9}{'1h':>7}{'6h':>7}"
    f"{'events 30d':>12}"
)


def _line(status: "Status") -> str:
    burns = [status.burns[name] for name in ("5m", "1h", "6h")]
    five, hour, six = ("-" if rate is None else f"{rate:.1f}" for rate in burns)
    left = "-" if status.left is None else f"{status.left:.1%}"
    month = status.counts.get("30d")
    events = month.total if month else 0
    objective = status.objective
    promise = f"{objective.target * 100:g}%"
    return f"{objective.id:<12}{promise:>9}  {status.state:<10}{left:>12}{five:>9}{hour:>7}{six:>7}{events:>12}"
