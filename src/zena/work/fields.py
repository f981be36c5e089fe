"""Checks of what people type into projects and tasks, shared by the actions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.errors import Conflict, Invalid, NotFound, Problem, Stale
from zena.kit.i18n import N_
from zena.kit.scope import Scope
from zena.kit.text import clean_name, clean_text

PRIORITIES: Final = ("low", "normal", "high", "urgent")
RISKS: Final = ("low", "medium", "high")
MAX_TAGS: Final = 50
TAG_LENGTH: Final = 50
#: In minor units; sums of a thousand projects still fit a bigint.
MAX_MONEY: Final = 10**15
#: Ten years of minutes.
MAX_MINUTES: Final = 10 * 366 * 24 * 60
EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)
_ACTIVE = text("SELECT id FROM membership WHERE tenant_id = :tenant AND id = ANY(:ids) AND ended_at IS NULL")


@dataclass(frozen=True, slots=True)
class Seen:
    """The version the caller changed from. `in_body`: it came in the body (a drag, a bulk change), not as If-Match."""

    version: int
    in_body: bool = False

    @classmethod
    def of(cls, version: int | None, *, in_body: bool = False) -> "Seen | None":
        return None if version is None else cls(version, in_body)


def is_stale(seen: Seen | None, version: int) -> bool:
    return seen is not None and seen.version != version


def stale(seen: Seen, version: int, current: Mapping[str, Any]) -> Problem:
    """Return the refusal of a change made on an older version: 412 for If-Match, 409 for a version in the body."""
    message = N_(
        "Somebody changed this meanwhile: you saw version %(seen)s, it is now %(now)s.", seen=seen.version, now=version
    )
    refusal = Conflict if seen.in_body else Stale
    return refusal(message, details={"current": dict(current)})


def check_version(row: Any, version: int | None, *, in_body: bool = False) -> None:
    """Refuse a change to a small object made on an older version; shows its columns as they are now."""
    seen = Seen.of(version, in_body=in_body)
    if seen is not None and is_stale(seen, row.version):
        current = {c.name: getattr(row, c.name) for c in row.__table__.columns if c.name != "tenant_id"}
        raise stale(seen, row.version, current)


def diff(row: Any, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what changes, before and after; fields that keep their value are left out."""
    after = {field: value for field, value in values.items() if getattr(row, field) != value}
    return {field: getattr(row, field) for field in after}, after


def check_known(changes: Mapping[str, Any], editable: frozenset[str]) -> None:
    unknown = set(changes) - editable
    if unknown:
        raise Invalid.field(min(unknown), N_("This field cannot be set."), "unknown")


def check_common(values: dict[str, Any]) -> None:
    """Clean, in place, what projects and tasks have in common: name, description, priority."""
    if "name" in values:
        values["name"] = clean_name(values["name"], "name")
    if "description" in values:
        values["description"] = clean_text(values["description"], "description")
    check_choice(values, "priority", PRIORITIES)


def check_choice(values: Mapping[str, Any], field: str, allowed: Collection[str]) -> None:
    if field in values and values[field] not in allowed:
        raise Invalid.field(field, N_("One of %(allowed)s.", allowed=", ".join(allowed)), "choice")


def check_range(values: Mapping[str, Any], field: str, least: int, most: int) -> None:
    value = values.get(field)
    if value is not None and not least <= value <= most:
        raise Invalid.field(field, N_("A whole number from %(least)s to %(most)s.", least=least, most=most), "range")


def check_dates(values: Mapping[str, Any], row: Any, start: str, end: str) -> None:
    """Refuse dates out of range and an end before its start, whichever of the two is being changed."""
    for field in (start, end):
        day = values.get(field)
        if day is not None and not EARLIEST <= day <= LATEST:
            raise Invalid.field(field, N_("A date from %(first)s to %(last)s.", first=EARLIEST, last=LATEST), "range")
    first = values.get(start, getattr(row, start, None))
    last = values.get(end, getattr(row, end, None))
    if first is not None and last is not None and last < first:
        field = end if end in values else start
        raise Invalid.field(
            field, N_("The end, %(last)s, is before the start, %(first)s.", last=last, first=first), "order"
        )


def check_tags(tags: Sequence[str]) -> list[str]:
    """Return tags cleaned, each once."""
    if len(tags) > MAX_TAGS:
        raise Invalid.field("tags", N_("At most %(most)s.", most=MAX_TAGS), "too_many")
    return list(dict.fromkeys(clean_name(tag, f"tags[{place}]", TAG_LENGTH) for place, tag in enumerate(tags)))


async def check_members(session: AsyncSession, scope: Scope, members: Sequence[UUID]) -> None:
    """Refuse (404) anybody who is not, or no longer, a member of the firm."""
    if not members:
        return
    there = set(await session.scalars(_ACTIVE, {"tenant": scope.tenant, "ids": list(members)}))
    if strangers := [one for one in members if one not in there]:
        raise NotFound.of("member", *strangers)
