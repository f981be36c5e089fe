"""Figures that are not what the rows say."""

from typing import Final

from zena.operate.lab.contract import Asked, Fault, Way
from zena.operate.lab.faults.database import switched

_DASHBOARD: Final[tuple[Asked, ...]] = ((Way.GET, "/dashboard"), (Way.GET, "/api/v1/app/dashboard"))
# What is added is more than any firm has, so that it can be told from what was there and taken away again.
FAULTS: Final = (
    switched(
        Fault("rows-by-hand", "somebody changes budgets in the database", "D2", "invalidation_missing", _DASHBOARD),
        "UPDATE project SET budget_actual = coalesce(budget_actual, 0) + 1000000000000",
        "UPDATE project SET budget_actual = budget_actual - 1000000000000 WHERE budget_actual >= 1000000000000",
    ),
    switched(
        Fault("counters-by-hand", "somebody changes counters in the database", "D2", "wrong_counters", _DASHBOARD),
        "UPDATE project_stats SET done = done + 1000000",
        "UPDATE project_stats SET done = done - 1000000 WHERE done >= 1000000",
    ),
)
