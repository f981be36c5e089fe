"""Which column of a file means what: guessed from its name in English or Vietnamese, changed by the user."""

import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from zena.kit.errors import FieldError, Invalid
from zena.kit.i18n import N_


class Target(StrEnum):
    """What a column can become."""

    REF = "ref"
    NAME = "name"
    DESCRIPTION = "description"
    STATUS = "status"
    PRIORITY = "priority"
    START = "start"
    DUE = "due"
    ESTIMATE = "estimate"
    PROGRESS = "progress"
    ASSIGNEES = "assignees"
    LABELS = "labels"
    PARENT = "parent"
    PREDECESSORS = "predecessors"


LABELS = {
    Target.REF: N_("Reference (number or code of the row)"),
    Target.NAME: N_("Name"),
    Target.DESCRIPTION: N_("Description"),
    Target.STATUS: N_("Status"),
    Target.PRIORITY: N_("Priority"),
    Target.START: N_("Start"),
    Target.DUE: N_("Due"),
    Target.ESTIMATE: N_("Estimate, hours"),
    Target.PROGRESS: N_("Progress, %"),
    Target.ASSIGNEES: N_("Assignees (e-mail addresses)"),
    Target.LABELS: N_("Labels"),
    Target.PARENT: N_("Parent (reference)"),
    Target.PREDECESSORS: N_("Predecessors (references)"),
}

_NAMES: dict[Target, tuple[str, ...]] = {
    Target.REF: ("ref", "reference", "id", "no", "no.", "#", "wbs", "code", "key", "stt", "ma", "ma cong viec"),
    Target.NAME: ("name", "task", "task name", "title", "subject", "activity", "ten", "cong viec", "ten cong viec"),
    Target.DESCRIPTION: ("description", "notes", "details", "mo ta", "ghi chu"),
    Target.STATUS: ("status", "state", "trang thai"),
    Target.PRIORITY: ("priority", "uu tien", "do uu tien", "muc uu tien"),
    Target.START: ("start", "start date", "begin", "bat dau", "ngay bat dau"),
    Target.DUE: (
        "due",
        "due date",
        "end",
        "end date",
        "finish",
        "finish date",
        "han",
        "den han",
        "ket thuc",
        "ngay ket thuc",
    ),
    Target.ESTIMATE: ("estimate", "estimate (h)", "estimate hours", "hours", "work", "duration (h)", "gio", "uoc tinh"),
    Target.PROGRESS: ("progress", "progress %", "% complete", "complete", "done %", "tien do"),
    Target.ASSIGNEES: ("assignee", "assignees", "assigned to", "resource names", "nguoi thuc hien", "phu trach"),
    Target.LABELS: ("label", "labels", "tags", "nhan"),
    Target.PARENT: ("parent", "parent ref", "parent id", "part of", "cong viec cha", "cha"),
    Target.PREDECESSORS: ("predecessor", "predecessors", "depends on", "after", "cong viec truoc", "phu thuoc"),
}
_BY_NAME = {name: target for target, names in _NAMES.items() for name in names}


def guess(header: Sequence[str]) -> dict[str, str]:
    """Return column name -> target for what is recognised; each target once, the first column wins."""
    found: dict[str, str] = {}
    for column in header:
        target = _BY_NAME.get(_plain(column))
        if target is not None and target not in found.values():
            found[column] = target
    return found


def check_mapping(header: Sequence[str], mapping: Mapping[str, str]) -> dict[Target, int]:
    """Return the place of each target's column. Raises Invalid naming unknown columns, targets and a missing name."""
    errors: list[FieldError] = []
    places: dict[Target, int] = {}
    for column, wanted in mapping.items():
        if not wanted:
            continue
        if column not in header:
            errors.append(
                FieldError(f"mapping.{column}", "unknown", N_("The file has no column %(name)s.", name=column))
            )
        elif wanted not in set(Target):
            errors.append(
                FieldError(f"mapping.{column}", "choice", N_("%(name)s is nothing that can be imported.", name=wanted))
            )
        elif Target(wanted) in places:
            errors.append(
                FieldError(f"mapping.{column}", "twice", N_("Two columns are mapped to %(name)s.", name=wanted))
            )
        else:
            places[Target(wanted)] = list(header).index(column)
    if Target.NAME not in places and not errors:
        errors.append(FieldError("mapping", "required", N_("One column must be the name of the task.")))
    if errors:
        raise Invalid(errors)
    return places


def _plain(name: str) -> str:
    """Fold case, spaces and Vietnamese marks, so that "Tên công việc" and "ten cong viec" are one."""
    folded = unicodedata.normalize("NFKD", name.casefold().replace("đ", "d").replace("_", " "))
    return " ".join("".join(c for c in folded if not unicodedata.combining(c)).split())
