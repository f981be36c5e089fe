"""Each house rule accepts its good samples and catches its bad ones."""

import pytest

from scripts.lints import RULES
from scripts.lints.rule import Rule, Sample, Source, run

GOOD = [pytest.param(rule, sample, id=f"{rule.name}-{n}") for rule in RULES for n, sample in enumerate(rule.good)]
BAD = [pytest.param(rule, sample, id=f"{rule.name}-{n}") for rule in RULES for n, sample in enumerate(rule.bad)]
SQL = next(rule for rule in RULES if rule.name == "sql-literal")
COMPOSED = 'def f(): conn.fetch(f"SELECT {name}")'


def found(rule: Rule, path: str, code: str) -> list[tuple[int, str]]:
    return list(run(rule, Source.of(path, code)))


@pytest.mark.parametrize(("rule", "sample"), GOOD)
def test_good_sample_passes(rule: Rule, sample: Sample) -> None:
    assert found(rule, sample.path, sample.code) == []


@pytest.mark.parametrize(("rule", "sample"), BAD)
def test_bad_sample_is_found(rule: Rule, sample: Sample) -> None:
    assert found(rule, sample.path, sample.code)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_says_why_and_has_samples(rule: Rule) -> None:
    assert rule.why
    assert rule.good
    assert rule.bad


@pytest.mark.parametrize(
    "code",
    [
        f"{COMPOSED}  # allow: sql-literal - a fixed list of names",
        f"# allow: sql-literal - a fixed list of names\n{COMPOSED}",
    ],
)
def test_a_reasoned_comment_allows_its_line(code: str) -> None:
    assert found(SQL, "src/zena/kit/db.py", code) == []


@pytest.mark.parametrize(
    "code",
    [
        f"{COMPOSED}  # allow: sql-literal",
        f"{COMPOSED}  # allow: markup - another rule",
        f"# allow: sql-literal - too far away\n\n{COMPOSED}",
    ],
)
def test_a_comment_without_reason_or_place_allows_nothing(code: str) -> None:
    assert any("composed" in message for _, message in found(SQL, "src/zena/kit/db.py", code))


def test_a_comment_that_allows_nothing_is_found() -> None:
    [(line, message)] = found(SQL, "src/zena/kit/db.py", "x = 1  # allow: sql-literal - left over")
    assert line == 1
    assert "remove it" in message
