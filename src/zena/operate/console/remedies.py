"""What can be done about an incident: remedies with their last plan, runs that can be taken back, orders given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.orders.book import orders_of
from zena.operate.orders.doing import wants_typing
from zena.operate.remedies import runs
from zena.operate.remedies.catalogue import BY_NAME, proposed
from zena.operate.remedies.contract import Remedy, Target
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Reading

#: A plan is offered to be applied for so long: it is looked at again anyway.
_FRESH: Final = timedelta(minutes=15)
#: Seconds after which an order should have been taken up.
_SOON: Final = timedelta(seconds=15)
#: The page follows closely while something is done, seconds.
_CLOSELY, _USUALLY = 2, 10


@dataclass(frozen=True, slots=True)
class Way:
    """A remedy that answers a cause of the incident, how often it helped, and its plan while that is fresh.

    `spent`: it is applied only when told to do so though it did not help lately.
    """

    remedy: Remedy
    causes: Sequence[str]
    helped: str | None
    plan: Mapping[str, Any] | None
    typed: bool
    spent: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run for this incident.

    `back` tells whether it can be taken back, `typed` whether that wants its name, `undo` what it does.
    """

    row: Mapping[str, Any]
    back: bool
    typed: bool
    undo: str


async def what_can_be_done(
    conn: Raw, now: datetime, found: Mapping[str, Any], why: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the remedies, runs and orders of an incident as `listing.one` gives it."""
    orders = await orders_of(conn, found["id"])
    helped = await runs.efficacy(conn)
    causes = [one["cause"] for one in why["causes"]] if why and found["closed_at"] is None else []
    frozen = await runs.frozen(conn, now)
    ways = [
        Way(remedy, of, helped.get(remedy.id), _plan(orders, remedy, now), wants_typing("apply", remedy),
            frozen or await _spent(conn, remedy, found, now))
        for remedy, of in _remedies(found["symptom"], causes)
    ]  # fmt: skip
    open_orders = [one for one in orders if one["ended_at"] is None]
    return {
        "ways": ways,
        "runs": [_run(row) for row in await runs.of_incident(conn, found["id"])],
        "orders": orders,
        "busy": bool(open_orders),
        "nobody": any(one["state"] == "waiting" and one["at"] < now - _SOON for one in open_orders),
        "poll": _CLOSELY if open_orders else _USUALLY,
    }


async def _spent(conn: Raw, remedy: Remedy, found: Mapping[str, Any], now: datetime) -> bool:
    nothing = Reading(found["scope"], over=None, calm=False, says="")
    return await runs.spent(conn, remedy.id, Target(BY_ID[found["symptom"]], found["scope"], nothing), now)


def _remedies(symptom: str, causes: Sequence[str]) -> list[tuple[Remedy, list[str]]]:
    """Return each remedy once, those of the likeliest cause first."""
    named: dict[str, list[str]] = {}
    for cause in causes:
        for remedy in proposed(symptom, cause):
            named.setdefault(remedy.id, []).append(cause)
    return [(BY_NAME[name], of) for name, of in named.items()]


def _plan(orders: Sequence[Mapping[str, Any]], remedy: Remedy, now: datetime) -> Mapping[str, Any] | None:
    """Return the last plan of a remedy, unless it was applied since, or is old."""
    mine = [one for one in orders if one["remedy"] == remedy.id and one["kind"] in {"plan", "apply"}]
    last = mine[0] if mine else None
    if last is None or last["kind"] != "plan" or last["plan"] is None or last["at"] < now - _FRESH:
        return None
    plan: Mapping[str, Any] = last["plan"]
    return plan


def _run(row: Mapping[str, Any]) -> Run:
    remedy = BY_NAME.get(row["remedy"])
    back = remedy is not None and remedy.undo is not None and row["undone_at"] is None and row["ended_at"] is not None
    return Run(row, back, bool(remedy and wants_typing("undo", remedy)), row["undo"])
