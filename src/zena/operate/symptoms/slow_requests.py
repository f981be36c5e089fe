"""Why requests of some routes are slow: where the time of those that were kept went, compared with the quick ones."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zena.kit.tally import REPEATED
from zena.operate.metrics.read import read_series, together
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, ranked
from zena.operate.symptoms.figures import LONG, SHORT, counted
from zena.operate.symptoms.surroundings import blocked_sessions, recent_change

#: What slow requests may be put down to.
CAUSES: Final = frozenset(
    {"n_plus_one", "statement", "database_link", "pool_wait", "loop_blocked", "own_code", "lock", "one_firm",
     "cache_misses"}
)  # fmt: skip
_MOST: Final = 300
_KEPT: Final = """
SELECT request_id, ms, tenant, kept_for, facts FROM ops.request
 WHERE at >= $1 AND at <= $2 AND method || ' ' || route = ANY ($3) AND status < 500
   AND kept_for <> ALL ('{denied,statement}') ORDER BY at DESC, request_id LIMIT $4
"""
#: Shares of the time from which on something is named as the reason.
_POOL, _STATEMENT, _ELSEWHERE, _TENANT = 0.2, 0.5, 0.4, 0.6
#: The loop is blocked where a short sleep comes so late in one of twenty, milliseconds.
_LAG: Final = 50.0
#: Where so many of all statements are slow, none of them is at fault.
_ALL: Final = 0.5
_KINDS: Final = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """Slow requests and quick ones of the same routes, as they were kept."""

    slow: Sequence[Any]
    quick: Sequence[Any]

    @property
    def ms(self) -> float:
        return float(sum(row["ms"] for row in self.slow)) or 1.0

    def share(self, fact: str) -> float:
        return min(1.0, float(sum(row["facts"].get(fact, 0) for row in self.slow)) / self.ms)

    @property
    def example(self) -> str:
        """The slowest one's id."""
        return str(max(self.slow, key=lambda row: row["ms"])["request_id"])


async def why_slow(look: Look, routes: Collection[str], slow_after: float) -> Diagnosis:
    """Return the causes for the slow requests of these routes ("GET /dashboard") in the last half hour."""
    rows = await look.conn.fetch(_KEPT, look.since(LONG), look.now, list(routes), _MOST)
    kept = Kept([row for row in rows if row["ms"] > slow_after], [row for row in rows if row["ms"] <= slow_after])
    if not kept.slow:
        return ranked([await recent_change(look)], [("requests", "none of the slow ones was kept")])
    lag = await _lag(look)
    repeated, link = _repeated(kept), await _link(look, kept)
    causes = [
        repeated,
        link,
        None if repeated or link else _statement(kept),
        _pool(kept),
        _blocked(kept, lag),
        _one_firm(kept),
        _cold(kept),
        await blocked_sessions(look),
        await recent_change(look),
    ]
    return ranked(causes, _ruled_out(kept, lag))


def _repeated(kept: Kept) -> Hypothesis | None:
    """N+1: one statement many times in one request, in most of the slow ones."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in kept.slow:
        for one in row["facts"].get("statements", []):
            if one["times"] >= REPEATED:
                found[one["fingerprint"]].append(one)
    if not found:
        return None
    name, times = max(found.items(), key=lambda item: sum(one["ms"] for one in item[1]))
    share, place = sum(one["ms"] for one in times) / kept.ms, times[0]["caller"] or "an unknown place"
    if len(times) < len(kept.slow) / 2:
        return None
    mean = sum(one["times"] for one in times) / len(times)
    says = f"one statement runs {mean:.0f} times per request from {place}: {share:.0%} of the time"
    facts = {"fingerprint": name, "times": round(mean, 1), "caller": place, "share": round(share, 3)}
    evidence = Evidence("kept requests", f"in {len(times)} of {len(kept.slow)} slow ones: statement {name}", facts)
    return Hypothesis("n_plus_one", min(0.95, 0.5 + share), says, [evidence], f"zena why slow {kept.example}")


def _statement(kept: Kept) -> Hypothesis | None:
    """One statement that takes most of the time."""
    spent: Counter[str] = Counter()
    callers: dict[str, str | None] = {}
    for row in kept.slow:
        for one in row["facts"].get("statements", []):
            spent[one["fingerprint"]] += one["ms"]
            callers.setdefault(one["fingerprint"], one["caller"])
    if not spent:
        return None
    (name, ms), share = spent.most_common(1)[0], spent.most_common(1)[0][1] / kept.ms
    if share < _STATEMENT:
        return None
    says = f"statement {name} from {callers[name] or 'an unknown place'} takes {share:.0%} of the time"
    evidence = Evidence("kept requests", f"{ms:.0f} of {kept.ms:.0f} ms", {"fingerprint": name, "share": share})
    return Hypothesis("statement", 0.4 + share / 2, says, [evidence], f"zena why slow {kept.example}")


async def _link(look: Look, kept: Kept) -> Hypothesis | None:
    """Every statement is slow, whatever it does: the way to the database, or the database's machine."""
    seen = [one for one in await counted(look, ["query"]) if one.near_n]
    slow, total = sum(one.near_slow for one in seen), sum(one.near_n for one in seen)
    kinds = sum(one.near_slow > 0 for one in seen)
    if not total or slow / total < _ALL or kinds < _KINDS or kept.share("database_ms") < _ELSEWHERE:
        return None
    says = f"{slow / total:.0%} of all statements are slow, of {kinds} kinds: the way to the database, or its machine"
    evidence = Evidence("statements", f"{slow} of {total} in {SHORT} minutes took over 100 ms", {"kinds": kinds})
    return Hypothesis("database_link", 0.9, says, [evidence], "zena db ping")


def _pool(kept: Kept) -> Hypothesis | None:
    share = kept.share("pool_wait_ms")
    if share < _POOL:
        return None
    says = f"{share:.0%} of the time they wait for a free connection"
    return Hypothesis("pool_wait", 0.5 + share / 2, says, [_spent(kept)], "zena db activity")


def _blocked(kept: Kept, lag: float | None) -> Hypothesis | None:
    share = 1 - kept.share("database_ms") - kept.share("pool_wait_ms")
    if lag is not None and lag > _LAG:  # answers of the database wait then too, and count as its time
        says = f"something holds the web processes up: in one of twenty looks by more than {lag:.0f} ms"
        evidence = [_spent(kept), Evidence("loop lag", f"p95 {lag:.0f} ms in {SHORT} minutes", {"p95_ms": lag})]
        sure = 0.85 if share >= _ELSEWHERE else min(0.85, 0.55 + lag / 1000)
        return Hypothesis("loop_blocked", sure, says, evidence, f"zena why slow {kept.example}")
    if share < _ELSEWHERE:
        return None
    says = f"{share:.0%} of the time is spent outside of the database: computing, drawing, or calling others"
    return Hypothesis("own_code", 0.4 + share / 3, says, [_spent(kept)], f"zena why slow {kept.example}")


def _one_firm(kept: Kept) -> Hypothesis | None:
    """Most slow requests are one firm's, most quick ones are not."""
    slow, quick = (Counter(str(row["tenant"]) for row in rows if row["tenant"]) for rows in (kept.slow, kept.quick))
    if not slow or not quick:
        return None
    tenant, number = slow.most_common(1)[0]
    share, usual = number / len(kept.slow), quick[tenant] / len(kept.quick)
    if share < _TENANT or usual > share / 2:
        return None
    says = f"{share:.0%} of the slow requests are those of firm {tenant}, who makes {usual:.0%} of the quick ones"
    evidence = Evidence("kept requests", f"{number} of {len(kept.slow)} slow ones", {"tenant": tenant})
    return Hypothesis("one_firm", 0.5, says, [evidence], "zena trace GET /dashboard --as SOMEBODY")


def _cold(kept: Kept) -> Hypothesis | None:
    """The slow ones had to compute what the quick ones found in the cache."""

    def missed(rows: Sequence[Any]) -> float:
        asked = [row["facts"].get("cache") or {} for row in rows]
        asked = [one for one in asked if one]
        return sum(any(not name.endswith(":hit") for name in one) for one in asked) / len(asked) if asked else 0.0

    slow, quick = missed(kept.slow), missed(kept.quick)
    if slow < _ELSEWHERE or slow < quick + _POOL:
        return None
    says = f"{slow:.0%} of the slow ones computed anew, {quick:.0%} of the quick ones"
    return Hypothesis("cache_misses", 0.3 + slow / 3, says, [Evidence("kept requests", says)], "zena cache stats")


async def _lag(look: Look) -> float | None:
    found = await read_series(look.conn, ["loop.lag"], look.since(SHORT), look.now)
    return together([one for one in found if one.label == "web"]).quantile(0.95)


def _spent(kept: Kept) -> Evidence:
    shares = {name: round(kept.share(f"{name}_ms"), 3) for name in ("database", "pool_wait")}
    parts = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return Evidence("kept requests", f"{len(kept.slow)} slow ones: {parts}; the slowest is {kept.example}", shares)


def _ruled_out(kept: Kept, lag: float | None) -> list[tuple[str, str] | None]:
    most = max((row["facts"].get("most_repeated", 0) for row in kept.slow), default=0)
    return [
        None if most >= REPEATED else ("n_plus_one", f"no statement ran more than {most} times in a slow request"),
        ("pool_wait", f"{kept.share('pool_wait_ms'):.0%} of the time") if kept.share("pool_wait_ms") < _POOL else None,
        ("loop_blocked", f"p95 of the loop's lag is {lag:.0f} ms") if lag is not None and lag <= _LAG else None,
    ]
