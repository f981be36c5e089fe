"""Amounts as people write them, in and out of minor units."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zena.kit import formats
from zena.kit.errors import Invalid
from zena.kit.money import MAX_MINOR, Money, currency_code, major, parse_money


@pytest.mark.parametrize(
    ("text", "currency", "locale", "minor"),
    [
        ("1250000", "VND", "vi", 1_250_000),
        ("1.250.000", "VND", "vi", 1_250_000),
        ("1.250.000 ₫", "VND", "vi", 1_250_000),
        ("1.250.000đ", "VND", "vi", 1_250_000),
        ("₫1,250,000", "VND", "en", 1_250_000),
        ("VND 5", "VND", "en", 5),
        ("12.50", "USD", "en", 1_250),
        ("$12.50", "USD", "en", 1_250),
        ("12,50", "USD", "vi", 1_250),
        ("12.5", "USD", "en", 1_250),
        ("-5", "USD", "en", -500),
        ("1.234", "KWD", "en", 1_234),
        ("0", "VND", "xx-unknown", 0),
    ],
)
def test_amounts(text: str, currency: str, locale: str, minor: int) -> None:
    assert parse_money(text, currency, "amount", locale) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("", "VND", "money"), ("x", "VND", "money"), ("1e5", "VND", "money"), ("NaN", "USD", "money"), ("Infinity",
        "USD", "money"),
        ("1,25,0", "USD", "money"), ("--5", "USD", "money"), ("5 5 x", "USD", "money"), ("١٢", "VND", "money"),
        ("0x10", "USD", "money"),
        ("1.5", "VND", "decimals"), ("12.505", "USD", "decimals"), ("9" * 25, "VND", "too_large"), ("9" * 60, "VND",
        "money"),
        (str(MAX_MINOR + 1), "VND", "too_large"), ("=1+1", "USD", "money"),
    ],
)  # fmt: skip
def test_what_is_no_amount(text: str, currency: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_money(text, currency, "amount")
    assert (refused.value.fields[0].path, refused.value.fields[0].code) == ("amount", code)


@given(st.integers(-(10**15), 10**15), st.sampled_from(["VND", "USD", "JPY", "KWD"]), st.sampled_from(["en", "vi"]))
def test_what_is_written_can_be_read_again(minor: int, currency: str, locale: str) -> None:
    text = formats.money(minor, currency, locale).replace("\u2212", "-")
    assert parse_money(text, currency, "amount", locale).amount == minor


def test_currencies() -> None:
    assert currency_code(" vnd ") == "VND"
    for bad in ("", "VN", "XYZ", "VNDD", "₫", "V1D"):
        with pytest.raises(Invalid):
            currency_code(bad)


def test_sums_stay_in_one_currency() -> None:
    assert Money(5, "VND") - Money(2, "VND") + Money(1, "VND") == Money(4, "VND")
    with pytest.raises(ValueError, match="cannot add"):
        Money(5, "VND") + Money(1, "USD")
    assert major(Money(1250, "USD")) == Decimal("12.50")
