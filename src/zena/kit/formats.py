"""How dates, numbers, money and spans of time are written in a locale. Pure functions; html.py binds them to a page."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import dates, numbers

from zena.kit.i18n import N_, translations

_MINUTE, _WEEK = 60, 7 * 86400
_COMPACT_FROM = 10_000
#: Pages say the same few numbers and days over and over; Babel takes long to say each anew.
_remembered = lru_cache(maxsize=8192, typed=True)


def zone(name: str) -> ZoneInfo:
    """Return a time zone; an unknown name reads as UTC rather than failing a page."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def aware(at: datetime | str) -> datetime:
    """Return an instant as an aware datetime; a naive one is UTC, a string is ISO 8601."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def exact(at: datetime, locale: str, timezone: str) -> str:
    """Write an instant in full: what stands behind a relative time on hover."""
    local = aware(at).astimezone(zone(timezone))
    return f"{dates.format_date(local.date(), 'long', locale=locale)} {clock_time(local, locale, timezone)}"


def clock_time(at: datetime, locale: str, timezone: str, *, seconds: bool = False) -> str:
    return dates.format_time(aware(at), "HH:mm:ss" if seconds else "HH:mm", tzinfo=zone(timezone), locale=locale)


def ago(at: datetime, now: datetime, locale: str, timezone: str) -> str:
    """Write an instant as people say it: "3 minutes ago", and after a week the day."""
    delta = aware(at) - now
    distance = abs(delta.total_seconds())
    if distance < _MINUTE:
        return translations(locale).gettext("just now")
    if distance < _WEEK:
        return dates.format_timedelta(delta, add_direction=True, threshold=1, locale=locale)
    return day(aware(at).astimezone(zone(timezone)).date(), now.astimezone(zone(timezone)).date(), locale)


@_remembered
def day(value: date, today: date, locale: str) -> str:
    """Write a date shortly: "Today", "Nov 20", and with the year only when it is another one."""
    near = {-1: N_("Yesterday"), 0: N_("Today"), 1: N_("Tomorrow")}
    word = near.get((value - today).days)
    if word:
        return translations(locale).gettext(word)
    return dates.format_skeleton("MMMd" if value.year == today.year else "yMMMd", _noon(value), locale=locale)


def full_day(value: date, locale: str) -> str:
    """Write a date in full, with its weekday."""
    return dates.format_date(value, "EEEE d MMMM y", locale=locale)


def weekday(value: date, locale: str) -> str:
    """Write a date as the head of a page does: "Monday 23 November"."""
    return dates.format_date(value, "EEEE d MMMM", locale=locale)


@_remembered
def number(value: float | Decimal, locale: str, *, decimals: int | None = None) -> str:
    """Write a number with the locale's separators; `decimals` fixes the digits after the point."""
    pattern = None if decimals is None else "#,##0" + ("." + "0" * decimals if decimals else "")
    return numbers.format_decimal(value, format=pattern, locale=locale)


def signed(value: float, locale: str, *, decimals: int | None = None) -> str:
    """Write a change: "+9", "−3" with a true minus, "0" without a sign."""
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + number(abs(value), locale, decimals=decimals)


@_remembered
def percent(value: float, locale: str, *, decimals: int = 0) -> str:
    """Write a value of 0..100 with a percent sign."""
    return numbers.format_percent(
        value / 100, format="#,##0" + ("." + "0" * decimals if decimals else "") + "%", locale=locale
    )


@_remembered
def money(minor: int, currency: str, locale: str) -> str:
    """Write minor units of a currency: 1250000 VND is ₫1,250,000, 1250 USD is $12.50."""
    digits = numbers.get_currency_precision(currency)
    return numbers.format_currency(Decimal(minor).scaleb(-digits), currency, locale=locale)


@_remembered
def short_money(minor: int, currency: str, locale: str) -> str:
    """Write money for a narrow place: 184200000000 VND is ₫184.2B."""
    digits = numbers.get_currency_precision(currency)
    amount = Decimal(minor).scaleb(-digits)
    if abs(amount) < _COMPACT_FROM:
        return money(minor, currency, locale)
    return numbers.format_compact_currency(amount, currency, locale=locale, fraction_digits=1)


def minutes(value: int, locale: str) -> str:
    """Write a duration given in minutes: "2 h 30 min"."""
    hours, rest = divmod(int(value), 60)
    parts = [f"{number(hours, locale)} h"] if hours else []
    parts += [f"{rest} min"] if rest or not hours else []
    return " ".join(parts)


def browser(agent: str) -> str:
    """Write who a browser says it is in two words: "Firefox, Windows". Unknown ones are cut short."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")
    name = next((name for mark, name in names.items() if mark in agent), None)
    system = next((system for system in systems if system in agent), None)
    return ", ".join(filter(None, [name, system])) if name else agent[:60]


def _noon(value: date) -> datetime:
    return datetime.combine(value, time(12))
