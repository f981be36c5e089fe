"""The report after an incident, as Markdown: what happened, why, and how long each step took."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from zena.operate.incidents.timeline import diagnosis, words
from zena.operate.symptoms.catalogue import BY_ID


def markdown(found: dict[str, Any]) -> str:
    """Return the report of an incident as `listing.one` gives it. Times are computed, never typed."""
    return "\n".join([*_head(found), *_cause(found), *_times(found), *_timeline(found), *_told(found)]) + "\n"


def _head(found: dict[str, Any]) -> Iterator[str]:
    symptom = BY_ID.get(found["symptom"])
    scope = f", {found['scope']}" if found["scope"] else ""
    yield f"# Incident {found['id']}: {symptom.title if symptom else found['symptom']}{scope}"
    yield ""
    yield f"{found['severity'].capitalize()}, {found['state']}. {found['says']}"
    yield from ("", f"Whom it reached: {found['reach']['says']}.", "")
    if found["parent_id"]:
        yield f"A consequence of incident {found['parent_id']}."
    if found["children"]:
        yield f"Its consequences: incidents {', '.join(map(str, found['children']))}."
    if not found["intact"]:
        yield "**The timeline does not hold: an entry was changed or removed.**"


def _cause(found: dict[str, Any]) -> Iterator[str]:
    why = diagnosis(found["timeline"])
    if why is None:
        return
    yield from ("", "## Cause", "")
    for cause in why["causes"] or [{"cause": "unknown", "confidence": 0, "says": "none was found", "evidence": []}]:
        yield f"- **{cause['cause']}** ({cause['confidence']:.0%}): {cause['says']}"
        yield from (f"  - {one['source']}: {one['says']}" for one in cause["evidence"])
    if why["ruled_out"]:
        yield f"- Ruled out: {'; '.join(f'{name} ({why})' for name, why in why['ruled_out'])}"


def _times(found: dict[str, Any]) -> Iterator[str]:
    began = found["began_at"]
    yield from ("", "## Times", "", f"- began {_at(began)}")
    for name, told in (
        ("opened_at", "detected"), ("acked_at", "acknowledged"), ("mitigated_at", "mitigated"),
        ("verified_at", "verified"), ("closed_at", "closed"),
    ):  # fmt: skip
        if found[name] is not None:
            yield f"- {told} {_at(found[name])}, after {(found[name] - began).total_seconds():.0f} s"
    if found["closed_at"] is not None and found["verified_at"] is None:
        yield "- closed by a person's decision: no measurement verified it"


def _timeline(found: dict[str, Any]) -> Iterator[str]:
    yield from ("", "## Timeline", "")
    for entry in found["timeline"]:
        told = words(entry)
        yield f"- {_at(entry['at'])} {entry['kind']} by {entry['actor']}{f': {told}' if told else ''}"


def _told(found: dict[str, Any]) -> Iterator[str]:
    if found["notices"]:
        yield from ("", "## Who was told", "")
    for one in found["notices"]:
        came = f"sent {_at(one['sent_at'])}" if one["sent_at"] else f"not sent: {one['error'] or 'it waits'}"
        yield f"- {_at(one['at'])} {one['kind']} over {one['channel']}, {came}"


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
