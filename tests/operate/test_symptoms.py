"""When a reading becomes an incident, when it is over, and which counts are believed at all."""

from datetime import UTC, datetime, timedelta

import pytest

from zena.operate.symptoms.catalogue import BY_ID, SYMPTOMS
from zena.operate.symptoms.contract import Hypothesis, Reading, ranked
from zena.operate.symptoms.figures import Share
from zena.operate.watch.rounds import gather
from zena.operate.watch.states import Standing, step

NOW = datetime(2031, 5, 6, tzinfo=UTC)
OVER = Reading("", over=True, calm=False, says="bad")
FINE = Reading("", over=False, calm=True, says="good")
BETWEEN = Reading("", over=False, calm=False, says="so so")
UNKNOWN = Reading("", over=None, calm=True, says="few")


def follow(*readings: Reading) -> tuple[Standing | None, list[str]]:
    """Return what is known after some looks, 15 seconds apart, and what each of them did."""
    was, moves = None, list[str]()
    for number, reading in enumerate(readings):
        was, move = step(was, reading, NOW + number * timedelta(seconds=15), 2)
        moves.append(move)
    return was, moves


def test_two_looks_open_and_two_calm_ones_close() -> None:
    was, moves = follow(OVER, OVER, OVER, FINE, FINE)
    assert moves == ["none", "opened", "none", "none", "closed"]
    assert was is not None
    assert (was.since, was.calm_since) == (NOW, NOW + timedelta(seconds=45))


def test_one_look_alone_opens_nothing() -> None:
    assert follow(OVER, FINE, OVER, FINE) == (None, ["none"] * 4)


def test_no_data_is_neither_better_nor_worse() -> None:
    assert follow(OVER, UNKNOWN, UNKNOWN, OVER)[1] == ["none", "none", "none", "opened"]
    was, moves = follow(OVER, OVER, *[UNKNOWN] * 20)
    assert was is not None
    assert (was.state, moves[2:]) == ("open", ["none"] * 20)


def test_near_the_limit_nothing_closes_and_calm_has_to_last() -> None:
    assert follow(OVER, OVER, *[BETWEEN] * 9)[1][2:] == ["none"] * 9
    assert follow(OVER, OVER, FINE, OVER, FINE, FINE)[1][2:] == ["none", "none", "none", "closed"]


@pytest.mark.parametrize(
    ("bad", "total", "near_bad", "near_total", "over"),
    [
        (0, 0, 0, 0, None),  # nothing
        (1, 5, 1, 5, None),  # too few
        (3, 20, 3, 10, True),  # operations.md, finding 7
        (2, 20, 2, 10, False),
        (64, 1000, 30, 100, True),
        (63, 1000, 30, 100, False),  # not beyond chance
        (64, 1000, 2, 100, False),  # over by now
        (64, 1000, 0, 0, None),  # proven, and nobody to tell whether it goes on
    ],
)
def test_a_share_is_over_its_limit_beyond_chance_and_now(
    bad: int, total: int, near_bad: int, near_total: int, over: bool | None
) -> None:
    assert Share(bad, total, near_bad, near_total).over(0.05) is over


def test_calm_is_four_fifths_of_the_limit_or_nothing_bad_left() -> None:
    assert Share(0, 0, 0, 0).calm(0.05)
    assert not Share(5, 100, 0, 0).calm(0.05)
    assert Share(50, 100, 4, 100).calm(0.05)
    assert not Share(50, 100, 5, 100).calm(0.05)


def readings(*scopes: str, over: bool = True) -> list[Reading]:
    return [Reading(one, over, calm=False, says=f"{one} is slow", value=0.1, facts={"routes": [one]}) for one in scopes]


def test_many_scopes_at_once_are_one_and_what_is_open_stays_by_itself() -> None:
    assert gather(readings("a", "b", "c"), ()) == readings("a", "b", "c")
    first, *rest = gather([*readings("a", "b", "c", "d", "e"), *readings("f", over=False)], {"e"})
    assert (first.scope, first.over, first.facts) == (
        "several", True, {"scopes": ["a", "b", "c", "d"], "routes": ["a", "b", "c", "d"]},
    )  # fmt: skip
    assert [one.scope for one in rest] == ["e", "f"]


def test_causes_are_ranked_and_none_is_said_to_be_unknown() -> None:
    found = ranked([Hypothesis("b", 0.3, ""), None, Hypothesis("a", 0.9, "")], [None, ("c", "why")])
    assert ([one.cause for one in found.causes], found.cause, found.ruled_out) == (["a", "b"], "a", [("c", "why")])
    assert ranked([]).cause == "unknown"


def test_symptoms_are_told_apart_and_fold_what_exists() -> None:
    assert len(BY_ID) == len(SYMPTOMS) == len({one.title for one in SYMPTOMS})
    for one in SYMPTOMS:
        assert one.id not in one.folds
