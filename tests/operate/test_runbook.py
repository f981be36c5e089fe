"""The runbook and the code say the same: each symptom has its section, each cause its line, each command exists."""

import re

import pytest

from scripts.tree import read
from tests.test_docs import LEAVES, rows, same, ticked
from zena.operate.remedies.catalogue import REMEDIES, proposed
from zena.operate.remedies.twins import TWINS
from zena.operate.symptoms.catalogue import SYMPTOMS
from zena.operate.symptoms.contract import Symptom
from zena.settings.types import SYMPTOMS as NAMES

PAGE = "docs/runbook.md"
TABLE = "| cause |"
#: What is put down to the causes of another, and says so.
ALIKE = {"A1": "D1", "U1": "A2"}


def parts() -> dict[str, str]:
    """Sections by their heading."""
    found = re.split(r"^## (.+)$", read(PAGE), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_every_symptom_has_its_section_in_order() -> None:
    assert list(parts()) == [f"{one.id} {one.title}" for one in SYMPTOMS]


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda one: one.id)
def test_every_cause_has_its_line(symptom: Symptom) -> None:
    section = parts()[f"{symptom.id} {symptom.title}"]
    if symptom.id in ALIKE:
        assert f"as {ALIKE[symptom.id]}" in " ".join(section.split())
        assert symptom.causes == next(one.causes for one in SYMPTOMS if one.id == ALIKE[symptom.id])
        return
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    same([ticked(cells[0])[0] for cells in lines], symptom.causes)


def test_a_setting_takes_every_symptom() -> None:
    assert {one.id for one in SYMPTOMS} <= NAMES


def test_every_command_that_is_named_exists() -> None:
    told = [one for row in rows(PAGE, TABLE) for one in ticked(row[2]) if one.startswith("zena ")]
    told += [one for one in ticked(read(PAGE)) if one.startswith("zena ")]
    for command in told:
        assert any(command == leaf or command.startswith(f"{leaf} ") for leaf in LEAVES), command


@pytest.mark.parametrize("symptom", [one for one in SYMPTOMS if one.id != "P1"], ids=lambda one: one.id)
def test_every_symptom_has_a_remedy(symptom: Symptom) -> None:
    """A broken promise has those of whatever breaks it."""
    assert any(proposed(symptom.id, cause) for cause in symptom.causes)


@pytest.mark.parametrize("symptom", [one for one in SYMPTOMS if one.id not in ALIKE], ids=lambda one: one.id)
def test_a_cause_that_a_remedy_answers_names_the_command_that_plans_it(symptom: Symptom) -> None:
    section = parts()[f"{symptom.id} {symptom.title}"]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    for cells in lines:
        cause = ticked(cells[0])[0]
        told = [one for one in ticked(cells[2]) if one.startswith("zena runbook plan ")]
        same(told, [f"zena runbook plan {one.id}" for one in proposed(symptom.id, cause)])


def test_every_remedy_has_its_line_and_answers_what_can_be() -> None:
    listed = [(ticked(row[0])[0], row[1]) for row in rows(PAGE, "| remedy |")]
    same(listed, [(one.id, str(one.risk)) for one in REMEDIES])
    causes = {(one.id, cause) for one in SYMPTOMS for cause in one.causes}
    for remedy in REMEDIES:
        assert remedy.answers <= causes, remedy.id


def test_what_does_harm_is_told_with_a_command_that_does_what_was_meant() -> None:
    listed = [(row[0], row[1], ticked(row[2])[0]) for row in rows(PAGE, "| what is not done |")]
    assert listed == [(one.habit, one.why, one.instead) for one in TWINS]
    for one in TWINS:
        assert any(one.instead == leaf or one.instead.startswith(f"{leaf} ") for leaf in LEAVES), one.instead
        assert one.symptoms <= NAMES
