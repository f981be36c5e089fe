"""What people may type, what is refused, and the order names stand in."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zena.kit.errors import Invalid
from zena.kit.text import clean_name, clean_text, email_address, isolate, required_text, safe_next, sort_key


def refused(call: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        call(*arguments)  # type: ignore[operator]  # any of the functions of this room
    return caught.value.fields[0].path, caught.value.fields[0].code


@pytest.mark.parametrize(
    "bad", ["\x00", "\ud800", "a\x1b[31m", "a\r\nb", "a\tb", "\x7f", "\x9b", "a\u2028b", chr(0xDFFF)]
)
def test_H02_controls_in_names(bad: str) -> None:
    assert refused(clean_name, f"a{bad}", "title") == ("title", "characters")


@pytest.mark.parametrize(
    "blank", ["", " ", "\u00a0\u2003", "\u200b", "\u200b\u200d\ufeff", "\u2060", "\u3164", "\u202e", "\u0301", "\u2800"]
)
def test_names_that_show_nothing(blank: str) -> None:
    assert refused(clean_name, blank, "name") == ("name", "blank")
    assert refused(required_text, blank, "body") == ("body", "blank")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Móng cọc  ", "Móng cọc"),
        (unicodedata.normalize("NFD", "Đường số 5"), "Đường số 5"),
        ('"><script>alert(1)</script>', '"><script>alert(1)</script>'),
        ("مرحبا", "مرحبا"),
        ("👷🏽‍♀️ crew", "👷🏽‍♀️ crew"),
        ("a\u202eb", "a\u202eb"),
        ("0", "0"),
        ("x" * 255, "x" * 255),
        (" " + "x" * 255 + " ", "x" * 255),
    ],
)
def test_D03_names_are_kept_as_typed(typed: str, kept: str) -> None:
    assert clean_name(typed, "title") == kept


def test_lengths() -> None:
    assert refused(clean_name, "x" * 256, "title") == ("title", "too_long")
    assert refused(clean_text, "x" * 20_001, "description") == ("description", "too_long")
    assert clean_text("", "description") == ""


@pytest.mark.parametrize("bad", ["\x00", "\x08", "\x0b", "\x1b", "\x7f", "\x80", "\ud83d", chr(0xDC00)])
def test_H02_controls_in_texts(bad: str) -> None:
    assert refused(clean_text, f"line\n{bad}", "description") == ("description", "characters")


def test_texts_keep_their_lines() -> None:
    assert clean_text("a\r\nb\rc\n\td\u202e ", "x") == "a\nb\nc\n\td\u202e "


@given(st.text())
def test_H02_whatever_is_kept_can_be_stored(text: str) -> None:
    for clean in (clean_name, clean_text):
        try:
            kept = clean(text, "x")
        except Invalid:
            continue
        assert "\x00" not in kept
        kept.encode("utf-8")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("An.Nguyen@Example.COM", "an.nguyen@example.com"),
        (" a@b.co ", "a@b.co"),
        ("nguyễn@vidu.vn", "nguyễn@vidu.vn"),
        ("a+b_c%d@x-y.co.uk", "a+b_c%d@x-y.co.uk"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_addresses(typed: str, stored: str) -> None:
    assert email_address(typed) == stored


@pytest.mark.parametrize(
    "bad",
    [
        "", "a", "@b.co", "a@", "a@b", "a@@b.co", "a@b@c.co", "x@[127.0.0.1]", "x@127.0.0.1", "a@b.co,c@d.co",
        "a@b.co;c@d.co",
        "a b@c.co", "<a@b.co>", "A <a@b.co>", '"a"@b.co', "a@b.co\r\nBcc: c@d.co", "a\x00@b.co", ".a@b.co", "a.@b.co",
        "a..b@c.co", "a@-b.co", "a@b-.co", "a@b..co", "a@b.co.", "x" * 65 + "@b.co", "a@" + "b" * 64 + ".co",
        "a@" + "b." * 130 + "co", "a@bücher.example", "a@\uff42.co", "\u017fa@b.co", "\uff41@b.co", "a\u200b@b.co",
        "a(x)@b.co",
        "x" * 300,
    ],
)  # fmt: skip
def test_C05_what_is_not_one_address(bad: str) -> None:
    assert refused(email_address, bad) == ("email", "email")


SAFE = [
    "/",
    "/projects",
    "/projects/P1?view=board&q=a%20b",
    "/a?next=//evil.test",
    "/a?u=https://x.test",
    "/a#frag",
    "/%E1%BA%BF",
]
EVIL = [
    "", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "\\evil.test", "https://evil.test",
    "http:evil.test",
    "HTTPS://evil.test", "javascript:alert(1)", "data:text/html,x", "evil.test", "./x", "../x", "/../x", "/a/../../x",
    "/%2fevil.test",
    "/%2F%2Fevil.test", "/%5cevil.test", "/%5C%5Cevil.test", "/\t/evil.test", "/%09/evil.test", "/\n/evil.test",
    "/%0a/evil.test",
    " //evil.test", "/ /evil.test\x00", "/%00", "//evil.test/%2f..", "/.//evil.test", "/a//b", "/%252f%252fevil.test",
    "https:/evil.test",
    "/\u2044evil.test", "/\uff0fevil.test", "//[::1", "?next=x", "#x", "/a%2f%2e%2e%2f%2e%2e/x", "/" + "a" * 3000,
    "//user@evil.test",
    "/%0d%0aSet-Cookie:x=1", "/..", "mailto:a@b.co",
]  # fmt: skip


@pytest.mark.parametrize("path", EVIL)
def test_C14_paths_that_lead_away(path: str) -> None:
    assert safe_next(path, "/home") == "/home"


@pytest.mark.parametrize("path", SAFE)
def test_C14_paths_of_ours(path: str) -> None:
    assert safe_next(path, "/home") == path
    assert safe_next(None, "/home") == "/home"


def test_vietnamese_order() -> None:
    ordered = [
        "1.9 x", "1.10 x", "a b", "ab", "Ab", "An", "Ánh", "Ăn", "Ân", "ba", "bà", "bả", "bã", "bá", "bạ", "Bình",
        "Dào", "Đào",
        "Em", "Êm", "Nguyen Van An", "Nguyễn Văn An", "on", "ôn", "ơn", "Task 2", "Task 9", "Task 10", "ước", "vàng",
        "Zed", "东京",
    ]  # fmt: skip
    assert sorted(set(ordered), key=sort_key) == ordered


@given(st.text(max_size=400))
def test_a_sort_key_fits_an_index_and_holds_no_nul(text: str) -> None:
    key = sort_key(text)
    assert "\x00" not in key
    assert len(key) <= 700


def test_isolation_of_direction_marks() -> None:
    assert isolate("a\u202eb") == "\u2068a\u202eb\u2069"
