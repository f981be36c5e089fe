"""B2: the database runs out of connections, or work waits for one."""

from typing import Any, Final

from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import CALM, counted
from zena.operate.symptoms.surroundings import blocked_sessions, recent_change

#: Share of the usable connections in use.
LIMIT: Final = 0.90
#: Mean wait for a connection of a process's own pool, milliseconds, and how many must have waited to tell.
_WAIT, _LEAST = 50.0, 20
#: A transaction of ours that does nothing for so long is a leak, seconds.
_IDLE: Final = 60
_HALF: Final = 0.5
_USE: Final = """
SELECT count(*) AS used,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true)::int, 0) AS usable
  FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
_HOLDERS: Final = """
SELECT coalesce(nullif(application_name, ''), 'unnamed') AS application, count(*) AS connections,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%' AND state_change < now() - $1::interval) AS left_open,
       max(extract(epoch FROM now() - state_change)) FILTER (WHERE state LIKE 'idle in transaction%') AS longest
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
 GROUP BY 1 ORDER BY 2 DESC, 1
"""


async def watch(look: Look) -> list[Reading]:
    """Return one reading for the server and every process's pool."""
    row = await look.conn.fetchrow(_USE)
    holders = [dict(one) for one in await look.conn.fetch(_HOLDERS, look.minutes(_IDLE / 60))]
    used, usable = row["used"], row["usable"]
    (waits, mean), left = await _waits(look), sum(one["left_open"] for one in holders)
    over = used > LIMIT * usable or left > 0 or (waits >= _LEAST and mean > _WAIT)
    calm = used < LIMIT * CALM * usable and not left and (waits < _LEAST or mean < _WAIT * CALM)
    says = (
        f"{used} of {usable} connections are in use; {left} transactions left open for over {_IDLE} s;"
        f" {waits} waits for a connection, {mean:.0f} ms on average"
    )
    facts = {"holders": holders, "used": used, "usable": usable, "waits": waits, "mean_ms": round(mean, 1)}
    return [Reading("", over, calm, says, used / usable, LIMIT, facts)]


async def _waits(look: Look) -> tuple[int, float]:
    series = await counted(look, ["pool.wait"], long=5)
    number = sum(one.n for one in series)
    return number, sum(one.ms for one in series) / number if number else 0.0


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Say who holds the connections: transactions left open, somebody else's program, or pools that are too small."""
    holders, used, usable = (reading.facts[name] for name in ("holders", "used", "usable"))
    full = used > LIMIT * usable
    causes = [
        _left_open(holders),
        _strangers(holders, used) if full else None,
        _too_many(holders, usable) if full else None,
        None if full else _small_pool(reading.facts),
        await blocked_sessions(look),
        await recent_change(look),
    ]
    ruled_out = [] if full else [("too_many_processes", f"{used} of {usable} connections are in use")]
    return ranked(causes, ruled_out)


def _left_open(holders: list[dict[str, Any]]) -> Hypothesis | None:
    leaks = [one for one in holders if one["left_open"]]
    if not leaks:
        return None
    first = max(leaks, key=lambda one: (one["left_open"], one["application"]))
    who, longest = first["application"], float(first["longest"])
    says = f"{first['left_open']} sessions of {who} do nothing inside a transaction, one for {longest:.0f} s"
    told = [
        Evidence("sessions", f"{one['application']}: {one['left_open']} of {one['connections']}") for one in leaks[:3]
    ]
    return Hypothesis("left_open", 0.9, says, told, "zena db activity --all")


def _strangers(holders: list[dict[str, Any]], used: int) -> Hypothesis | None:
    others = [one for one in holders if not one["application"].startswith("zena")]
    number = sum(one["connections"] for one in others)
    if not number or number / used < _HALF:
        return None
    says = f"{number} of {used} connections are not ours, most of them {others[0]['application']}'s"
    told = [Evidence("sessions", f"{one['application']}: {one['connections']}") for one in others[:3]]
    return Hypothesis("strangers", 0.8, says, told, "zena db activity --all")


def _too_many(holders: list[dict[str, Any]], usable: int) -> Hypothesis:
    told = [Evidence("sessions", f"{one['application']}: {one['connections']}") for one in holders[:5]]
    says = f"the pools of all processes together want more than the server's {usable} connections"
    return Hypothesis("too_many_processes", 0.5, says, told, "zena config show")


def _small_pool(facts: dict[str, Any]) -> Hypothesis | None:
    if facts["waits"] < _LEAST or facts["mean_ms"] <= _WAIT:
        return None
    says = f"{facts['waits']} waits of {facts['mean_ms']:g} ms, though the server has room: the pools are too small"
    told = [Evidence("pools", f"{facts['used']} of {facts['usable']} connections are in use")]
    return Hypothesis("small_pool", 0.6, says, told, "zena db activity")


CAUSES: Final = frozenset({"left_open", "strangers", "too_many_processes", "small_pool", "lock"})
SYMPTOM: Final = Symptom(
    "B2", "Database connection errors", Severity.HIGH, watch, diagnose, CAUSES,
    folds=frozenset({"A1", "A2", "D1", "Q1", "U1", "P1"}),
)  # fmt: skip
