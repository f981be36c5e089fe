"""Promises that are broken: faults held until the budget of a month burns. Each in an installation of its own."""

from dataclasses import replace
from typing import Final

from zena.operate.lab.contract import Fault
from zena.operate.lab.faults import database

_CAUSED: Final = frozenset({"A1", "A2", "B1", "B2", "D1"})


def _held(fault: str, name: str, title: str, cause: str) -> Fault:
    one = next(one for one in database.FAULTS if one.id == fault)
    return replace(one, id=name, title=title, symptom="P1", cause=cause, also=_CAUSED, fresh=True)


FAULTS: Final = (
    _held("right-revoked", "promise-errors", "so many requests fail that the month's budget burns", "failures"),
    _held("dashboard-lock", "promise-slow", "so many dashboards are slow that the month's budget burns", "slowness"),
)
