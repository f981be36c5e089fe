"""What every remedy fills in, and how its plan is told from another."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from zena.operate.symptoms.contract import Look, Reading, Symptom

Verdict = Literal["fixed", "improved", "no_effect", "worse", "inconclusive", "interrupted"]
Tell = Callable[[str], None]
Answers = frozenset[tuple[str, str]]


class Risk(StrEnum):
    """R1 is taken back in the application, R2 in the infrastructure; R3 is final, or grants access."""

    APPLICATION = "R1"
    INFRASTRUCTURE = "R2"
    FINAL = "R3"


class Refused(Exception):  # noqa: N818 - says what is
    """It cannot be done, here or now; the message says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is wrong: a symptom's scope as it reads now, and the incident it belongs to, if one is open."""

    symptom: Symptom
    scope: str
    reading: Reading
    incident: int | None = None

    @property
    def says(self) -> str:
        return f"{self.symptom.id} {self.scope}".strip()


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done. `acts_on` names exactly on what, as plain JSON; `touches` counts who feels it.

    `effects` and `undo` are lines for people. Two plans are the same when they would do the same to the same.
    """

    acts_on: Mapping[str, Any]
    effects: Sequence[str]
    touches: Mapping[str, int]
    undo: str


@dataclass(frozen=True, slots=True)
class Remedy:
    """One remedy. `answers` are the symptoms and causes it is proposed for.

    `plan` only looks, and raises Refused; `apply`, `gone` and `undo` are given `Plan.acts_on`. `gone` tells whether the
    cause is no longer there. `contains` keeps harm in rather than ending what is wrong: its signal may stay. Undoing
    one that `guards` gives access back, which wants typed confirmation as R3 does.
    """

    id: str
    title: str
    answers: Answers
    risk: Risk
    plan: Callable[[Look, Target], Awaitable[Plan]]
    apply: Callable[[Look, Mapping[str, Any], Tell], Awaitable[None]]
    gone: Callable[[Look, Mapping[str, Any]], Awaitable[bool]]
    undo: Callable[[Look, Mapping[str, Any]], Awaitable[None]] | None = None
    contains: bool = False
    guards: bool = False

    @property
    def symptoms(self) -> frozenset[str]:
        return frozenset(symptom for symptom, _ in self.answers)

    def against(self, symptom: str) -> list[str]:
        """Return the causes of a symptom that it answers."""
        return sorted(cause for answered, cause in self.answers if answered == symptom)


@dataclass(frozen=True, slots=True)
class Planned:
    """A remedy planned for a target."""

    remedy: Remedy
    target: Target
    plan: Plan

    @property
    def hash(self) -> str:
        """The SHA-256 of what would be done and on what, in hexadecimal."""
        what = [self.remedy.id, self.target.symptom.id, self.target.scope, self.plan.acts_on, self.plan.effects]
        text = json.dumps(what, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
