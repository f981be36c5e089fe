"""C2: the shared cache does not do what it is asked."""

from math import inf
from typing import Final

from zena.kit.cache.stats import Reason
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import counted
from zena.operate.symptoms.surroundings import recent_change

#: Share of look-ups that fail, and how slow a value may be written and read, milliseconds.
LIMIT, _SLOW = 0.05, 50.0
_LONG, _LEAST = 5, 20
#: One slow answer is a moment of this machine's; a slow cache is slow again.
_TRIES: Final = 3
#: What the cache's own words mean.
_MEANS: Final = (
    ("password", "refused"), ("user", "refused"), ("replica", "read_only"), ("full", "full"), ("save", "disk"),
    ("loading", "loading"), ("did not answer", "slow"), ("another value", "wrong_values"),
)  # fmt: skip


async def watch(look: Look) -> list[Reading]:
    """Write and read a value as every process does; count the look-ups that failed. Nothing without a shared cache."""
    if look.settings.redis_url is None:
        return []
    trouble, ms = await _canary(look.settings.redis_url.get_secret_value())
    series = await counted(look, ["cache", "cache.miss"], long=_LONG)
    total = sum(one.n for one in series if one.metric == "cache")
    failed = sum(one.n for one in series if one.metric == "cache.miss" and one.label.endswith(f":{Reason.ERROR}"))
    share = failed / total if total else 0.0
    over = bool(trouble) or ms > _SLOW or (total >= _LEAST and share > LIMIT)
    says = trouble or f"a value is written and read in {ms:.0f} ms at most"
    says += f"; {failed} of {total} look-ups in {_LONG} minutes failed"
    return [Reading("", over, not over, says, share, LIMIT, {"trouble": trouble, "ms": ms, "failed": failed})]


async def _canary(url: str) -> tuple[str, float]:
    """Return what is wrong, nothing if all is well, and the slowest step of the best of some tries in milliseconds."""
    from zena.operate.cache.shared import SharedCacheDown, ping, shared  # noqa: PLC0415 - Redis is an extra

    try:
        async with shared(url) as redis:
            best = inf
            for _ in range(_TRIES):
                best = min(best, float((await ping(redis))["slowest_ms"]))
                if best <= _SLOW:
                    break
            return "", best
    except SharedCacheDown as error:
        return f"the shared cache {error}", 0.0


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Put the cache's own refusal into a cause; nobody sees an error meanwhile, each process computes for itself."""
    trouble = reading.facts["trouble"]
    evidence = [Evidence("a value written, read and deleted", reading.says, {"failed": reading.facts["failed"]})]
    if trouble:
        cause = next((cause for word, cause in _MEANS if word in trouble), "away")
        causes = [Hypothesis(cause, 0.95, trouble, evidence, "zena cache ping")]
    elif reading.facts["ms"] > _SLOW:
        causes = [Hypothesis("slow", 0.8, f"it answers in {reading.facts['ms']:.0f} ms", evidence, "zena cache ping")]
    else:
        says = "it answers from here, and not to the processes: another address, or it was away a moment ago"
        causes = [Hypothesis("away", 0.6, says, evidence, "zena cache stats")]
    return ranked([*causes, await recent_change(look)])


CAUSES: Final = frozenset({"away", *(cause for _, cause in _MEANS)})
SYMPTOM: Final = Symptom(
    "C2", "Cache not working", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"C1", "D1", "A1"})
)
