"""The cards at the head of the dashboard: one number each, how it changed, and the list it counts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from zena.insight.figures import DashboardFigures, Kpis, Past, TasksFigures
from zena.kit.i18n import N_, Text

Kind = Literal["number", "days", "percent"]

_DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class Card:
    """One number. `change` is None where there is nothing to compare with; `series` is its way there, oldest first.

    `late` is the 85th percentile beside a median; `meter` a share of 0..100 to draw.
    """

    label: Text
    value: float | None
    kind: Kind = "number"
    tone: str = ""
    url: str | None = None
    change: float | None = None
    against: Text | None = None
    note: Text | None = None
    series: Sequence[float] = field(default_factory=tuple)
    late: float | None = None
    meter: float | None = None


def cards(glance: Kpis[DashboardFigures], tasks: TasksFigures, history: Sequence[Past]) -> list[Card]:
    """Return the cards in the order they stand."""
    first = [
        _stock(glance, history, N_("Active projects"), "active_projects", "/projects?status=active"),
        _stock(glance, history, N_("Overdue tasks"), "overdue_tasks", "/tasks?due=overdue", tone="bad"),
        _stock(glance, history, N_("Due soon"), "due_soon_tasks", "/tasks?due=soon", tone="warn"),
        _done(tasks),
        _cycle(tasks),
    ]
    return [*first, _budget(glance.data) or _blocked(glance, history)]


def _stock(
    glance: Kpis[DashboardFigures], history: Sequence[Past], label: Text, name: str, url: str, tone: str = ""
) -> Card:
    """A number that stands, compared with the snapshot of a week ago."""
    value: int = getattr(glance.data, name)
    before = glance.past.figures.get(name) if glance.past else None
    return Card(
        label,
        value,
        tone=tone if value else "",
        url=url,
        change=None if before is None else value - before,
        against=_against(glance.past),
        note=None if glance.past else N_("no figures from last week yet"),
        series=[*(day.figures[name] for day in history if name in day.figures), value],
    )


def _against(past: Past | None) -> Text | None:
    if past is None:
        return None
    if past.days_ago == _DAYS_OF_WEEK:
        return N_("against last week")
    return N_("against %(count)s days ago", count=past.days_ago)


def _blocked(glance: Kpis[DashboardFigures], history: Sequence[Past]) -> Card:
    return _stock(glance, history, N_("Blocked tasks"), "blocked_tasks", "/tasks?status=blocked", tone="warn")


def _done(tasks: TasksFigures) -> Card:
    return Card(
        N_("Done in 7 days"),
        tasks.done_last_week,
        url="/tasks?status=done&sort=-updated_at",
        change=tasks.done_last_week - tasks.done_week_before,
        against=N_("against the week before"),
        series=[day.done for day in tasks.days],
    )


def _cycle(tasks: TasksFigures) -> Card:
    span = tasks.cycle_time
    if span.p50 is None:
        return Card(N_("Cycle time, median"), None, kind="days", note=N_("once tasks are done"))
    return Card(N_("Cycle time, median"), span.p50, kind="days", late=span.p85)


def _budget(glance: DashboardFigures) -> Card | None:
    """None where the reader has no sight of cost, or nothing is planned."""
    if not glance.budget_planned or glance.budget_utilisation is None:
        return None
    used = glance.budget_utilisation
    return Card(N_("Budget used"), used, kind="percent", tone="bad" if used > 100 else "", meter=used)  # noqa: PLR2004 - all of it
