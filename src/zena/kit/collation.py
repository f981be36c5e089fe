"""Vietnamese order without a collation library: a stored key whose plain byte order is the order people expect.

The key has three levels, as in the Unicode algorithm: letters (ă â đ ê ô ơ ư are letters of their own, after a, d, e, o
and u), then tones (none, huyền, hỏi, ngã, sắc, nặng), then case. Runs of digits compare as numbers: 1.9 before 1.10.
Names in other languages of the Latin script fall in place; other scripts follow in code point order.
"""

import unicodedata
from typing import Final

_LETTERS: Final = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_PRIMARY: Final = {letter: chr(0x41 + place) for place, letter in enumerate(_LETTERS)}
_TONES: Final = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
_SHAPES: Final = frozenset("\u0306\u0302\u031b")  # breve, circumflex, horn: part of the letter
_OTHER_MARK: Final = "6"
_LEVEL: Final = "\x01"
_DIGIT_RUN: Final = 0x30
_LONGEST_NUMBER: Final = 15
_SOURCE_LENGTH: Final = 160


def sort_key(text: str) -> str:
    """Return the key to store beside a name; compare it with COLLATE "C" and the row's id after it.

    Built from the first 160 characters, so that it always fits an index.
    """
    primary: list[str] = []
    tones: list[str] = []
    cases: list[str] = []
    for base, marks in _clusters(unicodedata.normalize("NFD", text.strip())[:_SOURCE_LENGTH]):
        if base.isdecimal() and base.isascii():
            _append_digit(primary, base)
            continue
        primary.append(_letter(base.lower(), marks))
        tones.append(_tone(marks))
        cases.append("1" if base != base.lower() else "0")
    return _LEVEL.join((_close_numbers(primary), "".join(tones).rstrip("0"), "".join(cases).rstrip("0")))


def _clusters(decomposed: str) -> list[tuple[str, str]]:
    """Split into a base character and the marks that follow it."""
    found: list[tuple[str, str]] = []
    for character in decomposed:
        if unicodedata.combining(character) and found:
            found[-1] = (found[-1][0], found[-1][1] + character)
        else:
            found.append((character, ""))
    return found


def _letter(base: str, marks: str) -> str:
    shape = "".join(mark for mark in marks if mark in _SHAPES)
    whole = unicodedata.normalize("NFC", base + shape)
    if whole in _PRIMARY:
        return _PRIMARY[whole]
    if base in _PRIMARY:
        return _PRIMARY[base]
    if base.isspace():
        return " "
    return base if ord(base) > 0x7F else chr(0x21 + ord(base) % 15)  # noqa: PLR2004 - punctuation, before digits


def _tone(marks: str) -> str:
    return next((_TONES.get(mark, _OTHER_MARK) for mark in marks if mark not in _SHAPES), "0")


def _append_digit(primary: list[str], digit: str) -> None:
    """Collect a run of digits in one entry, marked so that it can be told from a letter."""
    if primary and primary[-1].startswith("\x00"):
        primary[-1] += digit
    else:
        primary.append("\x00" + digit)


def _close_numbers(primary: list[str]) -> str:
    return "".join(_number(entry[1:]) if entry.startswith("\x00") else entry for entry in primary)


def _number(digits: str) -> str:
    """Write a number so that a longer one follows a shorter one: its count of digits stands before it."""
    plain = digits.lstrip("0") or "0"
    return chr(_DIGIT_RUN + min(len(plain), _LONGEST_NUMBER)) + plain
