"""The checker of histories, on histories made by hand: good ones pass, and each kind of lie is told."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.history import Entry, Final, Result, as_json, complaints, from_json


def create(name: str, start: float = 0, *, result: Result = "ok", task: str = "t1") -> Entry:
    versions = {task: 1} if result == "ok" else {}
    return Entry(1, "create", {"name": name}, result, start, start + 1, versions=versions)


def step(op: str, version: int, start: float, *, process: int = 1, length: float = 1, result: Result = "ok") -> Entry:
    versions = {"t1": version} if result == "ok" else {}
    return Entry(process, op, {"tasks": ["t1"]}, result, start, start + length, versions=versions)


def final(version: int = 1, events: int | None = None, **made: int) -> Final:
    kinds = ["task.created", *["task.moved"] * (version - 1)]
    told = [(position, kind, "t1") for position, kind in enumerate(kinds, 1)]
    return Final(Counter(made or {"a": 1}), {"t1": version}, told, len(told) if events is None else events)


STORY = [
    create("a"),
    step("move", 2, 2),
    step("read", 2, 3.5, process=2),
    step("bulk", 3, 5, process=2, length=4),
    step("move", 4, 6, length=4),
    step("move", 0, 11, result="unknown"),
]


@pytest.mark.parametrize("version", [4, 5])
def test_a_true_story_is_believed(version: int) -> None:
    assert complaints(STORY, final(version)) == []


@pytest.mark.parametrize(("result", "count"), [("ok", 1), ("unknown", 0), ("unknown", 1), ("fail", 0)])
def test_what_was_told_may_be_so(result: Result, count: int) -> None:
    said = Entry(1, "comment", {"name": "c"}, result, 1, 2)
    assert complaints([create("a"), said], final(a=1, c=count)) == []


@pytest.mark.parametrize(
    ("result", "count"), [("ok", 0), ("ok", 2), ("unknown", 2), ("fail", 1), ("fail", 2), ("unknown", 3)]
)
@pytest.mark.parametrize("op", ["create", "comment", "invite"])
def test_a_lost_or_doubled_write_is_found(op: str, result: Result, count: int) -> None:
    said = Entry(1, op, {"name": "c"}, result, 1, 2)
    assert len(complaints([create("a"), said], final(a=1, c=count))) == 1


def test_what_nobody_asked_for_is_found() -> None:
    assert complaints([create("a")], final(a=1, b=1)) == ["b is there and nobody asked for it"]


def change(story: list[Entry], at: int, **fields: Any) -> list[Entry]:
    return [*story[:at], replace(story[at], **fields), *story[at + 1 :]]


def test_a_version_given_twice_is_found() -> None:
    found = complaints(change(STORY, 3, versions={"t1": 4}), final(4))
    assert found == ["version 4 of t1 was given 2 times"]


def test_a_version_that_steps_back_is_found() -> None:
    swapped = [STORY[0], step("move", 3, 2), step("move", 2, 5)]
    assert complaints(swapped, final(3)) == ["move by 1 told version 2 of t1 after 3"]
    together = [STORY[0], step("move", 3, 2), step("move", 2, 2.5)]
    assert complaints(together, final(3)) == []


def test_reading_less_than_was_written_is_found() -> None:
    found = complaints(change(STORY, 2, versions={"t1": 1}), final(4))
    assert found == ["read by 2 told version 1 of t1 after 2"]


def test_reading_less_than_was_read_is_found() -> None:
    unsure = [STORY[0], step("move", 0, 2, result="unknown"), step("read", 2, 4), step("read", 1, 6, process=2)]
    assert complaints(unsure, final(2)) == ["read by 2 told version 1 of t1 after 2"]


@pytest.mark.parametrize("version", [3, 6])
def test_a_lost_or_doubled_change_is_found(version: int) -> None:
    found = complaints(STORY, final(version))
    assert found == [f"t1 is at version {version} after 3 known and 1 unknown changes"]


def test_a_changed_task_that_is_gone_is_found() -> None:
    found = complaints(STORY, Final(Counter(a=1), {}, [], 0))
    assert found == ["t1 was changed and is gone"]


def test_a_gap_between_events_is_found() -> None:
    there = final(2)
    there.events = [(1, *there.events[0][1:]), (3, *there.events[1][1:])]
    there.head = 3
    assert complaints([create("a"), step("move", 2, 2)], there) == [
        "2 events up to position 3; the first that is wrong is [2]"
    ]


def test_an_event_position_given_twice_or_past_the_head_is_found() -> None:
    story = [create("a"), step("move", 2, 2)]
    assert complaints(story, final(2, events=1)) == ["2 events up to position 1; the first that is wrong is [2]"]
    there = final(2)
    there.events.append((2, "comment.created", "t1"))
    assert len(complaints(story, there)) == 1


def test_a_version_without_its_event_is_found() -> None:
    there = final(2)
    there.events[1] = (2, "comment.created", "t1")
    assert complaints([create("a"), step("move", 2, 2)], there) == ["t1 is at version 2 and 1 events tell of it"]


def test_a_history_survives_being_written_down() -> None:
    assert from_json(as_json(STORY)) == STORY
