"""Project health, case by case as the domain contract lists them."""

import pytest

from zena.insight.health import Standing, health_of, share


def standing(**changes: int) -> Standing:
    values = {"total": 10, "done": 4, "canceled": 0, "overdue": 0, "planned": 1000, "actual": 900}
    return Standing(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "schedule"),
    [
        ({"total": 0, "done": 0}, "no_tasks"),
        ({"overdue": 0}, "on_track"),
        ({"overdue": 1}, "at_risk"),
        ({"overdue": 3}, "at_risk"),
        ({"overdue": 4}, "delayed"),
    ],
)
def test_schedule_follows_the_overdue_tasks(changes: dict[str, int], schedule: str) -> None:
    assert health_of(standing(**changes)).schedule == schedule


@pytest.mark.parametrize(
    ("planned", "actual", "cost", "overrun"),
    [
        (0, 0, "no_data", None),
        (0, 500, "no_data", None),
        (1000, 0, "on_budget", -100.0),
        (1000, 1000, "on_budget", 0.0),
        (1000, 1001, "at_risk", 0.1),
        (1000, 1100, "at_risk", 10.0),
        (10_000, 11_001, "over_budget", 10.01),
        (3, 4, "over_budget", 33.33),
    ],
)
def test_cost_follows_the_overrun(planned: int, actual: int, cost: str, overrun: float | None) -> None:
    health = health_of(standing(planned=planned, actual=actual))
    assert (health.cost, health.overrun) == (cost, overrun)


def test_a_rounded_overrun_never_hides_a_real_one() -> None:
    health = health_of(standing(planned=10_000_000, actual=11_000_001))
    assert health.cost == "over_budget"


@pytest.mark.parametrize(
    ("changes", "overall"),
    [
        ({}, "good"),
        ({"overdue": 4}, "critical"),
        ({"actual": 2000}, "critical"),
        ({"overdue": 1}, "warning"),
        ({"actual": 1050}, "warning"),
        ({"total": 0, "done": 0}, "warning"),
        ({"planned": 0, "actual": 0}, "warning"),
        ({"overdue": 4, "planned": 0}, "critical"),
        ({"overdue": 1, "actual": 2000}, "critical"),
    ],
)
def test_overall_is_the_worse_of_both(changes: dict[str, int], overall: str) -> None:
    assert health_of(standing(**changes)).overall == overall


@pytest.mark.parametrize(
    ("total", "done", "canceled", "completion"),
    [(0, 0, 0, 0.0), (10, 4, 0, 40.0), (10, 4, 2, 50.0), (3, 1, 0, 33.33), (5, 0, 5, 0.0), (7, 7, 0, 100.0)],
)
def test_completion_leaves_canceled_tasks_out(total: int, done: int, canceled: int, completion: float) -> None:
    assert health_of(standing(total=total, done=done, canceled=canceled)).completion == completion


def test_a_share_of_nothing_is_zero() -> None:
    assert [share(0, 0), share(1, 0), share(0, 4), share(1, 3)] == [0.0, 0.0, 0.0, 33.33]


def test_without_cost_the_judgement_stays_and_the_figures_go() -> None:
    health = health_of(standing(actual=2000)).without_cost()
    assert (health.overall, health.cost, health.overrun) == ("critical", None, None)
