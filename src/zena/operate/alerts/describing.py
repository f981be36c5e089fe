"""An incident put together for a notice, as it stands when the notice is sent."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from zena.kit.db import Raw
from zena.operate.alerts.contract import Notice
from zena.operate.incidents import timeline
from zena.operate.incidents.reach import reach
from zena.operate.remedies.catalogue import proposed
from zena.operate.symptoms.catalogue import BY_ID

if TYPE_CHECKING:
    from zena.settings import Settings

#: So many lines of evidence, and of what was done last.
_EVIDENCE: Final = 3
_DONE: Final = 5
_LINE: Final = 300
#: What people note in their own words stays in the timeline: it may hold what a firm wrote.
_TOLD: Final = frozenset({"acknowledged", "remedy applied", "remedy verdict", "remedy undone"})
_INCIDENT: Final = """
SELECT symptom, scope, severity, says, cause, began_at, opened_at, closed_at FROM ops.incident WHERE id = $1
"""
#: Seconds for what a notice may lack.
_PATIENCE: Final = 1.0


async def described(conn: Raw, settings: "Settings", waiting: Mapping[str, Any]) -> Notice:
    """Return a notice of the outbox as it is sent: a row of `outbox.claim`."""
    number = waiting["incident_id"]
    row = await conn.fetchrow(_INCIDENT, number)
    told = await timeline.entries(conn, number)
    symptom = BY_ID.get(row["symptom"])
    # Numbers come again after a restore, and other installations have them too.
    key = f"{settings.public_host}:{row['opened_at']:%Y%m%d%H%M%S}:{waiting['key']}"
    made = Notice(
        key=key, kind=waiting["kind"], at=waiting["at"], incident=number, symptom=row["symptom"],
        title=symptom.title if symptom else "", scope=_line(row["scope"]), severity=row["severity"],
        says=_line(row["says"]), link=f"{settings.public_url}/ops/incidents/{number}", host=settings.public_host,
        ref=waiting["ref"],
        told=_line(waiting["body"].get("text", "")), reach=await _reach(conn, row, waiting["at"]), done=_done(told),
        **_why(told), **_remedy(row["symptom"], row["cause"], number),
    )  # fmt: skip
    return replace(made, facts=_facts(made, row["opened_at"]))


def trial_notice(settings: "Settings", key: str, now: datetime) -> Notice:
    """Return a notice that tells nothing but that notices arrive."""
    made = Notice(
        key=key, kind="test", at=now, incident=0, symptom="", title="notices of this installation arrive here",
        scope="", severity="", says="", link=f"{settings.public_url}/ops/incidents", host=settings.public_host,
        told="Nothing is wrong. Somebody ran `zena alert test`.",
    )  # fmt: skip
    return replace(made, facts=_facts(made, now))


async def _reach(conn: Raw, row: Mapping[str, Any], at: datetime) -> str:
    """Whom it reaches; nothing where the measurements cannot be read soon, for the notice goes out all the same."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return (await reach(conn, row["began_at"], row["closed_at"] or at)).says
    except (asyncpg.PostgresError, TimeoutError):
        return ""


def _why(told: list[dict[str, Any]]) -> dict[str, Any]:
    """The likeliest cause, with its evidence and the command that shows more."""
    found = timeline.diagnosis(told)
    if found is None or not found["causes"]:
        return {"cause": "not found" if found is not None else "not looked for yet"}
    top = found["causes"][0]
    evidence = [_line(f"{one['source']}: {one['says']}") for one in top["evidence"][:_EVIDENCE]]
    cause = _line(f"{top['cause']} ({top['confidence']:.0%}): {top['says']}")
    return {"cause": cause, "evidence": evidence, "next": top["next"]}


def _remedy(symptom: str, cause: str | None, number: int) -> dict[str, Any]:
    """The mildest remedy for the cause, with its risk and the command that plans it."""
    found = proposed(symptom, cause) if cause else []
    if not found:
        return {}
    first = found[0]
    return {
        "remedy": f"{first.id} ({first.risk}), {first.title}",
        "plan": f"zena runbook plan {first.id} --incident {number}",
    }


def _done(told: list[dict[str, Any]]) -> list[str]:
    found = [one for one in told if one["kind"] in _TOLD][-_DONE:]
    return [_line(f"{one['at']:%H:%M} {one['kind']} by {one['actor']} {timeline.words(one)}".strip()) for one in found]


def _facts(made: Notice, opened_at: datetime) -> dict[str, Any]:
    names = (
        "incident", "symptom", "title", "scope", "severity", "says", "reach", "told", "cause", "evidence", "next",
        "remedy", "plan", "done",
    )  # fmt: skip
    return {name: getattr(made, name) for name in names} | {
        "opened_at": opened_at.isoformat(),
        "at": made.at.isoformat(),
        "host": made.host,
    }


def _line(text: str) -> str:
    one = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return one if len(one) <= _LINE else f"{one[:_LINE]}…"
