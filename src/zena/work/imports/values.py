"""Cells into values. Each reader returns the value or raises Wrong with a code and a sentence."""

import re
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from zena.kit.errors import Invalid
from zena.kit.i18n import N_
from zena.kit.text import clean_name, clean_text, email_address
from zena.work.actions.dependencies import MAX_LAG
from zena.work.actions.people import MAX_ASSIGNEES, MAX_LABELS
from zena.work.fields import EARLIEST, LATEST, MAX_MINUTES

T = TypeVar("T")

_STATUS = {
    "backlog": "backlog", "todo": "backlog", "to do": "backlog", "open": "backlog", "new": "backlog",
    "not started": "backlog", "chưa làm": "backlog", "chưa bắt đầu": "backlog",
    "in_progress": "in_progress", "in progress": "in_progress", "doing": "in_progress", "started": "in_progress",
    "đang làm": "in_progress", "đang thực hiện": "in_progress",
    "blocked": "blocked", "on hold": "blocked", "vướng": "blocked", "bị chặn": "blocked",
    "done": "done", "closed": "done", "complete": "done", "completed": "done", "finished": "done", "xong": "done",
    "hoàn thành": "done",
    "canceled": "canceled", "cancelled": "canceled", "hủy": "canceled", "đã hủy": "canceled",
}  # fmt: skip
_PRIORITY = {
    "low": "low", "thấp": "low", "normal": "normal", "medium": "normal", "bình thường": "normal",
    "trung bình": "normal", "high": "high", "cao": "high",
    "urgent": "urgent", "critical": "urgent", "khẩn": "urgent", "khẩn cấp": "urgent",
}  # fmt: skip
_DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")
_HOURS = re.compile(r"(\d{1,6})(?:[.,](\d{1,2}))?\s*(h|hours?|giờ|d|days?|ngày)?", re.IGNORECASE)
_LINK = re.compile(r"(?P<ref>[\w./#-]+?)(?P<kind>FS|SS|FF|SF)?(?P<lag>[+-]\d{1,4}(?:d|h|m))?", re.IGNORECASE)
_LAG = {"d": 8 * 60, "h": 60, "m": 1}
WORKDAY_HOURS = 8


class Wrong(ValueError):  # noqa: N818 - a fact about a cell
    """A cell that cannot be what its column says."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def name(cell: str) -> str:
    return _by_rule(clean_name, cell, "name")


def description(cell: str) -> str:
    return _by_rule(clean_text, cell, "description")


def status(cell: str) -> str:
    return _choice(_STATUS, cell, "backlog, in progress, blocked, done, canceled")


def priority(cell: str) -> str:
    return _choice(_PRIORITY, cell, "low, normal, high, urgent")


def day(cell: str) -> date:
    """Read 2026-11-23 or, as written in Vietnam and most of the world, 23/11/2026."""
    match = _DAY_FIRST.fullmatch(cell)
    try:
        found = date(int(match[3]), int(match[2]), int(match[1])) if match else date.fromisoformat(cell)
    except ValueError:
        raise Wrong("date", N_("Not a date: write 2026-11-23 or 23/11/2026.")) from None
    if not EARLIEST <= found <= LATEST:
        raise Wrong("range", N_("A date from %(first)s to %(last)s.", first=EARLIEST, last=LATEST))
    return found


def minutes(cell: str) -> int:
    """Read hours ("12", "1,5 h") or working days of eight hours ("3 d")."""
    match = _HOURS.fullmatch(cell.strip())
    if match is None:
        raise Wrong("number", N_("Not a number of hours."))
    hours = float(f"{match[1]}.{match[2] or 0}")
    found = round(hours * 60 * (WORKDAY_HOURS if (match[3] or "h")[0].lower() in {"d", "n"} else 1))
    if found > MAX_MINUTES:
        raise Wrong("range", N_("At most %(most)s hours.", most=MAX_MINUTES // 60))
    return found


def percent(cell: str) -> int:
    digits = cell.removesuffix("%").strip()
    if not digits.isdecimal() or len(digits) > 3 or int(digits) > 100:  # noqa: PLR2004 - per cent
        raise Wrong("number", N_("Not a whole number from 0 to 100."))
    return int(digits)


def addresses(cell: str) -> list[str]:
    return [_by_rule(email_address, part, "email") for part in _at_most(MAX_ASSIGNEES, _parts(cell))]


def words(cell: str) -> list[str]:
    parts = _at_most(MAX_LABELS, _parts(cell))
    return [_by_rule(lambda value, field: clean_name(value, field, 50), part, "labels") for part in parts]


def links(cell: str) -> list[tuple[str, str, int]]:
    """Read "12; 14SS; 15FS+2d": reference, type (FS where none is given), lag in working minutes."""
    found = []
    for part in _parts(cell):
        match = _LINK.fullmatch(part.replace(" ", ""))
        if match is None:
            raise Wrong("link", N_("Write predecessors like 12; 14SS; 15FS+2d."))
        lag = match["lag"]
        size = int(lag[:-1]) * _LAG[lag[-1].lower()] if lag else 0
        if abs(size) > MAX_LAG:
            raise Wrong("range", N_("A lag of at most %(most)s working days.", most=MAX_LAG // _LAG["d"]))
        found.append((match["ref"], (match["kind"] or "FS").upper(), size))
    return found


def _parts(cell: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in re.split(r"[;,]", cell) if part.strip()))


def _at_most(most: int, parts: list[str]) -> list[str]:
    if len(parts) > most:
        raise Wrong("too_many", N_("At most %(most)s.", most=most))
    return parts


def _choice(known: dict[str, str], cell: str, allowed: str) -> str:
    found = known.get(cell.casefold().strip())
    if found is None:
        raise Wrong("choice", N_("One of %(allowed)s.", allowed=allowed))
    return found


def _by_rule(rule: Callable[[str, str], T], cell: str, field: str) -> T:
    """Apply a rule of kit.text and tell its refusal in our words."""
    try:
        return rule(cell, field)
    except Invalid as refused:
        raise Wrong(refused.fields[0].code, refused.fields[0].message) from None
