"""Q2: more than one attempt in twenty of some kind of job fails."""

from collections import Counter
from typing import Final

from zena.kit.queue.failures import Attempted, Failure, attempts, failures
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import bad_share, counted
from zena.operate.symptoms.surroundings import recent_change

LIMIT: Final = 0.05
_LONG, _SHORT = 15, 5
_LEAST_BAD: Final = 5
_MOST: Final = 200
_SHOWN: Final = 3
_DEPENDENCY: Final = ("Connect", "Timeout", "HTTP", "SMTP", "OSError", "Interface", "Refused")
_PAYLOAD: Final = ("ValidationError", "DecodeError", "ValueError", "KeyError", "TypeError")


async def watch(look: Look) -> list[Reading]:
    """Return a reading for each kind of job that ran."""
    return [
        Reading(
            one.label,
            bad_share([one]).over(LIMIT, least_bad=_LEAST_BAD, least=1),
            bad_share([one]).calm(LIMIT),
            f"in {_SHORT} minutes {one.near_bad} of {one.near_n} attempts failed, in {_LONG} {one.bad} of {one.n}",
            bad_share([one]).far,
            LIMIT,
        )
        for one in await counted(look, ["job"], long=_LONG, short=_SHORT)
    ]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Group what is held by its error; say whether the code, what it was given, or somebody else is at fault.

    While nothing is held, because all will be tried again, the errors of the attempts are grouped instead.
    """
    held = await failures(look.conn, kind=reading.scope, limit=_MOST)
    counts = Counter(one.fingerprint for one in held)
    first = {one.fingerprint: one for one in reversed(held)}
    causes: list[Hypothesis | None] = [
        _held(first[name], number, len(held), {one.tenant for one in held if one.fingerprint == name})
        for name, number in counts.most_common(_SHOWN)
    ]
    if not held:
        tried = await attempts(look.conn, reading.scope, look.since(_LONG), limit=_SHOWN)
        causes += [_tried(one, sum(other.number for other in tried)) for one in tried]
    none = None if held else ("held", "nothing is held: what failed will be tried again")
    return ranked([*causes, await recent_change(look)], [none])


def _held(failure: Failure, number: int, of: int, firms: set[str | None]) -> Hypothesis:
    says = f"{number} of {of} held: {failure.error} in {failure.where or 'an unknown place'}, {len(firms)} firms"
    facts = {"fingerprint": failure.fingerprint, "jobs": number, "firms": len(firms), "starts": failure.starts}
    evidence = Evidence("held jobs", f"{failure.fingerprint}, for example job {failure.id}", facts)
    command = f"zena queue retry --fingerprint {failure.fingerprint}"
    return Hypothesis(cause_of(failure.error, len(firms)), 0.4 + 0.5 * number / of, says, [evidence], command)


def _tried(attempted: Attempted, of: int) -> Hypothesis:
    says = f"{attempted.number} of {of} attempts, to be made again: {attempted.error}, {attempted.firms} firms"
    facts = {"attempts": attempted.number, "firms": attempted.firms}
    evidence = Evidence("attempts", f"last at {attempted.last:%H:%M:%S}", facts)
    confidence = 0.4 + 0.4 * attempted.number / of
    return Hypothesis(cause_of(attempted.error, attempted.firms), confidence, says, [evidence], "zena queue failed")


def cause_of(error: str, firms: int) -> str:
    """Arguments that cannot be read fail at one firm; what others do not answer, or code does, fails at all."""
    if any(word in error for word in _PAYLOAD) and firms == 1:
        return "payload"
    return "dependency" if any(word in error for word in _DEPENDENCY) else "code"


CAUSES: Final = frozenset({"code", "payload", "dependency"})
SYMPTOM: Final = Symptom("Q2", "Jobs failing", Severity.HIGH, watch, diagnose, CAUSES)
