"""W1: people cannot open their live connection, and it is not their fault."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from zena.operate.realtime.processes import processes
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import SHORT, Share, bad_share, counted
from zena.operate.symptoms.sentinel import UNANSWERED, tried, unanswered
from zena.operate.symptoms.surroundings import recent_change

#: Share of attempts that fail by our fault.
LIMIT: Final = 0.05
#: What an attempt that failed is counted as, if it is ours: its cause, what it means, and where to look. The others
#: (no valid token, a person's own limit, a foreign page, maintenance, a peer that left) are as they should be.
_OURS: Final[Mapping[str, tuple[str, str, str]]] = {
    "origin": ("origin", "signed-in browsers come from another address than ZENA_PUBLIC_URL says", "zena config show"),
    "no_upgrade": ("proxy_strips_upgrade", "a proxy takes the Upgrade header out of /ws", "zena websocket status"),
    "firm_full": ("limit_reached", "a firm has all of its connections", "zena runbook plan raise_limit"),
    "strangers": ("limit_reached", "too many sockets wait to say who they are", "zena runbook plan raise_limit"),
    "leaving": ("draining_too_long", "a process that is about to stop still gets new ones", "zena websocket status"),
    "ticket": ("ticket_refused", "tickets are not valid when they arrive: too late, or used twice", "zena why ws"),
    "away": ("database_away", "the database did not answer when somebody came", "zena db ping"),
    "broken": ("code", "an error of ours ended the attempt", "zena logs --level error"),
}  # fmt: skip
_PROCESSES: Final = "processes"


async def watch(look: Look) -> list[Reading]:
    """Return a reading of the attempts, and one of the processes that take them where any did lately."""
    entered = await counted(look, ["ws.enter"])
    ours = {one.label: one for one in entered if one.label in _OURS}
    share = _share(ours, bad_share(entered))
    says = f"{share.near_bad} of {share.near_total} sockets in {SHORT} minutes failed by our fault"
    facts = {"failed": {name: one.near_n for name, one in ours.items() if one.near_n}}
    over = share.over(LIMIT)
    calm = share.calm(LIMIT)
    reading = Reading("", over, calm, says if share.total else "nobody opened a socket", share.far, LIMIT, facts)
    return [reading, *_taking(await processes(look.conn)), *await tried(look, "socket")]


def _share(ours: Mapping[str, Any], whole: Share) -> Share:
    bad, near = sum(one.n for one in ours.values()), sum(one.near_n for one in ours.values())
    return Share(bad, whole.total, near, whole.near_total, max((one.minutes for one in ours.values()), default=0))


def _taking(found: Sequence[dict[str, Any]]) -> list[Reading]:
    """Whoever ended in order is not among them: an installation that was stopped refuses nobody.

    Where processes take live connections alone, pages open theirs there: that web processes could does not help them.
    """
    if not found:
        return []
    found = [one for one in found if one["role"] == "websocket"] or found
    alive = sum(one["alive"] for one in found)
    says = f"{alive} of {len(found)} processes that take sockets give a sign of life"
    return [Reading(_PROCESSES, not alive, bool(alive), says, float(not alive), 0.0, {"alive": alive})]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Rank the causes by how many attempts each took."""
    told = [Evidence("attempts" if not reading.scope else "heartbeats", reading.says, reading.facts)]
    if reading.scope == _PROCESSES:
        says = "no process that takes sockets gives a sign of life"
        return ranked([Hypothesis("process_down", 0.95, says, told, "zena status"), await recent_change(look)])
    if (silent := unanswered(reading)) is not None:
        return ranked([silent, await recent_change(look)])
    failed: dict[str, int] = reading.facts["failed"]
    total = sum(failed.values()) or 1
    causes = [
        Hypothesis(cause, round(0.4 + 0.5 * failed[name] / total, 3), f"{failed[name]} of {total}: {says}", told, where)
        for name, (cause, says, where) in _OURS.items()
        if failed.get(name)
    ]
    quiet = {cause for cause, _, _ in _OURS.values()} - {one.cause for one in causes}
    return ranked([*causes, await recent_change(look)], [(cause, "no such attempt") for cause in sorted(quiet)])


CAUSES: Final = frozenset({"process_down", UNANSWERED, *(cause for cause, _, _ in _OURS.values())})
SYMPTOM: Final = Symptom(
    "W1", "WebSocket not connecting", Severity.HIGH, watch, diagnose, CAUSES, opens_after=1, folds=frozenset({"W2"})
)
