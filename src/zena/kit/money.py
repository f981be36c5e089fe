"""Amounts of money as whole minor units: what is stored, summed and compared is never a fraction.

Writing an amount for people is formats.money; this is the way in.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec
from babel import Locale, UnknownLocaleError, numbers

from zena.kit.errors import Invalid

MAX_MINOR: Final = 2**63 - 1
_CURRENCY: Final = re.compile("[A-Z]{3}")
_MAX_INPUT: Final = 40
_SPACES: Final = re.compile("[ \u00a0\u202f']")


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units of one currency: 1250 USD cents, or 1250 VND, which has no smaller coin."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other


def currency_code(value: str, field: str = "currency") -> str:
    """Return an ISO 4217 code in capitals; raise Invalid for one that nobody uses."""
    code = value.strip().upper()
    if not _CURRENCY.fullmatch(code) or not numbers.is_currency(code):
        raise Invalid.field(field, "Enter a currency code, such as VND or USD.", "currency")
    return code


def parse_money(text: str, currency: str, field: str, locale: str = "en") -> Money:
    """Read an amount as people of the locale write it, e.g. "1.250,50" in vi, perhaps with its sign.

    Raises Invalid for what could be read in two ways, has more decimals than the currency, or is beyond 64 bit.
    """
    plain = _SPACES.sub("", _without_sign(text.strip(), currency, locale))
    try:
        if not plain or len(plain) > _MAX_INPUT or not plain.isascii() or any(map(str.isalpha, plain)):
            raise _unreadable(field)
        amount = numbers.parse_decimal(plain, locale=_known(locale), strict=True)
        minor = amount.scaleb(numbers.get_currency_precision(currency))
    except (numbers.NumberFormatError, InvalidOperation):
        raise _unreadable(field) from None
    if minor != minor.to_integral_value():
        raise Invalid.field(
            field, f"{currency} has {numbers.get_currency_precision(currency)} decimal places.", "decimals"
        )
    if abs(minor) > MAX_MINOR:
        raise Invalid.field(field, "This amount is too large.", "too_large")
    return Money(int(minor), currency)


def major(money: Money) -> Decimal:
    """Return the amount in the currency's main unit, for exports."""
    return Decimal(money.amount).scaleb(-numbers.get_currency_precision(money.currency))


def _without_sign(text: str, currency: str, locale: str) -> str:
    """Return the amount alone; a minus may stand before the currency's sign."""
    text = text.replace("\u2212", "-")
    minus = "-" if text.startswith("-") else ""
    text = text.removeprefix("-")
    for sign in (currency, numbers.get_currency_symbol(currency, locale=_known(locale)), "đ"):
        text = text.removeprefix(sign).removesuffix(sign)
    return minus + text


def _known(locale: str) -> str:
    try:
        return str(Locale.parse(locale))
    except (UnknownLocaleError, ValueError):
        return "en"


def _unreadable(field: str) -> Invalid:
    return Invalid.field(field, "Enter an amount, such as 1250000.", "money")
