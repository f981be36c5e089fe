from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from zena.kit import formats
from zena.kit.errors import Invalid, problem_body
from zena.kit.i18n import LOCALES, N_, choose_locale, language_name, translate, translations

NOW = datetime(2026, 11, 23, 9, 41, tzinfo=UTC)
HANOI = "Asia/Ho_Chi_Minh"


def test_a_marked_sentence_is_english_until_it_is_shown() -> None:
    message = N_("%(count)s tasks", count=3)
    assert message == "3 tasks"
    assert (message.msgid, message.params) == ("%(count)s tasks", {"count": 3})


def test_parameters_are_translated_too() -> None:
    message = N_("The project is now: %(status)s.", status=N_("Active"))
    assert translate(message, "vi") == translations("vi").gettext("The project is now: %(status)s.") % {
        "status": translations("vi").gettext("Active")
    }


def test_a_sentence_no_catalog_knows_stays_as_it_is() -> None:
    assert translate("100 % unknown", "vi") == "100 % unknown"
    assert translate("", "vi") == ""


@pytest.mark.parametrize(
    ("own", "accepted", "tenant", "chosen"),
    [
        ("vi", "en", "en", "vi"),
        (None, "vi-VN,vi;q=0.9,en;q=0.8", "en", "vi"),
        (None, "fr, de;q=0.9", "vi", "vi"),
        (None, "en;q=0.2, vi;q=0.7", None, "vi"),
        (None, "vi;q=0", None, "en"),
        (None, "x" * 5000, None, "en"),
        (None, ";;;q=nan,*", "vi", "vi"),
        ("tlh", None, None, "en"),
    ],
)
def test_the_locale_is_the_persons_then_the_browsers_then_the_firms(
    own: str | None, accepted: str | None, tenant: str | None, chosen: str
) -> None:
    assert choose_locale(own, accept_language=accepted, fallback=tenant) == chosen


def test_languages_name_themselves() -> None:
    assert [language_name(locale) for locale in LOCALES] == ["English", "Tiếng Việt"]


@pytest.mark.parametrize(
    ("distance", "english"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(minutes=-3), "3 minutes ago"),
        (timedelta(hours=-25), "1 day ago"),
        (timedelta(days=2), "in 2 days"),
        (timedelta(days=-20), "Nov 3"),
    ],
)
def test_instants_are_told_as_people_tell_them(distance: timedelta, english: str) -> None:
    assert formats.ago(NOW + distance, NOW, "en", HANOI) == english


def test_days_are_short_and_carry_the_year_only_when_it_is_another() -> None:
    today = date(2026, 11, 23)
    days = [today, today + timedelta(1), date(2026, 11, 3), date(2025, 1, 3)]
    assert [formats.day(day, today, "en") for day in days] == ["Today", "Tomorrow", "Nov 3", "Jan 3, 2025"]


def test_a_late_evening_in_utc_is_the_next_day_in_hanoi() -> None:
    late = datetime(2026, 11, 1, 20, tzinfo=UTC)
    assert formats.ago(late, NOW, "en", HANOI) == "Nov 2"
    assert formats.exact(late, "en", HANOI) == "November 2, 2026 03:00"


def test_money_has_the_decimals_of_its_currency() -> None:
    assert formats.money(1_250_000, "VND", "en") == "₫1,250,000"
    assert formats.money(1_250_000, "VND", "vi") == "1.250.000\xa0₫"
    assert formats.money(1250, "USD", "en") == "$12.50"
    assert formats.short_money(184_200_000_000, "VND", "en") == "₫184.2B"


def test_numbers_follow_the_locale() -> None:
    assert formats.number(1234.5, "vi") == "1.234,5"
    assert formats.percent(61.4, "vi", decimals=1) == "61,4%"
    assert [formats.signed(value, "en") for value in (9, -3, 0)] == ["+9", "−3", "0"]
    assert formats.minutes(150, "en") == "2 h 30 min"


def test_a_marked_sentence_leaves_the_api_as_english() -> None:
    problem = Invalid.field("count", N_("At most %(most)s.", most=3))
    body = problem_body(problem, "id", "/x")
    assert body["details"]["fields"] == [{"path": "count", "code": "invalid", "message": "At most 3."}]
    assert type(body["detail"]) is str
    assert msgspec.json.encode(body)
