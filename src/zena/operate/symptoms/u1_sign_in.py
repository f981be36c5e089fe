"""U1: people cannot sign in, by our fault: a wrong password is none."""

from typing import Final

from zena.operate.symptoms import a2_errors
from zena.operate.symptoms.contract import Diagnosis, Look, Reading, Severity, Symptom
from zena.operate.symptoms.figures import LONG, SHORT, bad_share, counted
from zena.operate.symptoms.sentinel import tried

#: So many failures of ours within the short window.
LEAST: Final = 3


async def watch(look: Look) -> list[Reading]:
    """Return one reading for all that sign in by password."""
    share = bad_share(await counted(look, ["sign_in"]))
    over = share.near_bad >= LEAST if share.near_total else None
    says = f"{share.near_bad} of {share.near_total} failed by our fault in {SHORT} minutes, {share.bad} in {LONG}"
    calm = not share.near_bad
    people = Reading("", over, calm, says if share.total else "nobody tried", float(share.near_bad), float(LEAST))
    return [people, *await tried(look, "sign_in")]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name the errors of the window, as for all requests."""
    return await a2_errors.diagnose(look, reading)


SYMPTOM: Final = Symptom(
    "U1", "Users cannot log in", Severity.HIGH, watch, diagnose, a2_errors.CAUSES, folds=frozenset({"P1"})
)
