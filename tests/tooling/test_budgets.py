"""Size budgets: what is counted, what fails, and that exceptions only ever shrink."""

import ast
import textwrap

import pytest

from scripts.budgets import LIMITS, Size, exceptions_of, functions, grown, judge, packages, shape

LONG = Size("file", "src/zena/long.py", 300)
KEY = ("file", "src/zena/long.py")


def test_functions_are_named_and_measured() -> None:
    text = textwrap.dedent(
        """
        class A:
            @decorated
            def one(self):
                return 1

            async def two(self):
                def inner():
                    pass
        """
    )
    assert list(functions(ast.parse(text))) == [("A.one", 2), ("A.two", 3), ("A.two.inner", 2)]


def test_packages_for_other_systems_do_not_count() -> None:
    lock = [
        "a==1 \\",
        "    --hash=sha256:00",
        "b==2 ; sys_platform == 'win32'",
        "c==3 ; implementation_name != 'PyPy'",
        "# d==4",
    ]
    assert packages("\n".join(lock)) == 2


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_at_the_limit_passes_and_one_over_fails(kind: str) -> None:
    assert list(judge([Size(kind, "x", LIMITS[kind])], {})) == []
    assert len(list(judge([Size(kind, "x", LIMITS[kind] + 1)], {}))) == 1


def test_an_exception_must_say_the_very_size() -> None:
    assert list(judge([LONG], {KEY: 300})) == []
    assert list(judge([LONG], {KEY: 301}))
    assert list(judge([LONG], {KEY: 299}))


def test_an_exception_no_longer_needed_fails() -> None:
    assert list(judge([Size("file", "src/zena/long.py", 250)], {KEY: 300}))
    assert list(judge([], {KEY: 300}))


def test_an_exception_needs_a_reason() -> None:
    entry = '[[exception]]\nkind = "file"\nname = "src/zena/long.py"\nsize = 300\n'
    assert exceptions_of(entry) == ({KEY: 300}, ["scripts/budget_exceptions.toml: src/zena/long.py gives no reason"])
    assert exceptions_of(entry + 'reason = "one table"\n') == ({KEY: 300}, [])


def test_exceptions_only_shrink() -> None:
    assert list(grown({KEY: 290}, {KEY: 300})) == []
    assert list(grown({}, {KEY: 300})) == []
    assert list(grown({KEY: 301}, {KEY: 300}))
    assert list(grown({KEY: 300}, {}))


def test_functions_grown_long_all_over() -> None:
    assert list(shape([5] * 90 + [40] * 5)) == []
    assert list(shape([5] * 40 + [12] * 60))
    assert list(shape([5] * 80 + [40] * 20))
