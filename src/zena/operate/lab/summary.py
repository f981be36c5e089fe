"""What a run of the lab comes to, in figures and in a line."""

from collections.abc import Collection, Sequence
from typing import Any

from zena.operate.lab.trial import Outcome
from zena.operate.remedies.runs import HELPED


def summed(outcomes: Sequence[Outcome], symptoms: Collection[str], watching: float) -> dict[str, Any]:
    """Return how many of `symptoms` were found by every fault tried, the slowest to be found, and what else opened.

    `watching` is the share of the database's time, of one core, that looking at every symptom takes at pace 1.
    """
    faults = [one for one in outcomes if one.symptom]
    missed = {one.symptom for one in faults if not one.well}
    found = {one.symptom for one in faults} - missed
    mended = {one.symptom for one in faults if one.well and one.verdict in HELPED}
    slowest = max((one for one in faults if one.detect is not None), key=lambda one: one.detect or 0.0, default=None)
    return {
        "symptoms": len(symptoms),
        "found": len(found),
        "mended": len(found & mended),
        "missed": sorted(missed),
        "unmended": sorted(found - mended),
        "untried": sorted(set(symptoms) - found - missed),
        "slowest": {"fault": slowest.fault, "seconds": slowest.detect} if slowest else None,
        "false_alarms": sorted(one.fault for one in outcomes if not one.symptom and not one.well),
        "watching": round(watching, 5),
    }


def told(summary: dict[str, Any]) -> str:
    """Return the summary in a line."""
    slowest, alarms = summary["slowest"], summary["false_alarms"]
    parts = [f"{summary['found']} of {summary['symptoms']} symptoms found, {summary['mended']} of them mended"]
    parts += [f"{what}: {', '.join(summary[what])}" for what in ("missed", "unmended", "untried") if summary[what]]
    parts += [f"the slowest was {slowest['fault']}, after {slowest['seconds']:g} s"] if slowest else []
    parts += [f"shams that opened something: {', '.join(alarms) or 'none'}"]
    parts += [f"watching costs {summary['watching']:.2%} of a core at pace 1"]
    return "; ".join(parts)
