"""A2: more than one request in a hundred fails by our fault."""

from typing import Any, Final

from zena.operate.logs import groups
from zena.operate.slo.objectives import BY_ID
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.figures import LONG, SHORT, Counted, bad_share, counted
from zena.operate.symptoms.sentinel import UNANSWERED, tried, unanswered
from zena.operate.symptoms.surroundings import RECENT, recent_change

LIMIT: Final = 0.01
LEAST_BAD: Final = 10
#: What the server's own word for an error says of its cause: classes of SQLSTATE (PostgreSQL, appendix A).
_STATES: Final = (
    (("53300", "57P0", "08"), "database_away", "the database refuses or drops connections", "zena db ping"),
    (("42P01", "42703"), "schema_behind", "a table or column is missing: the schema is not this release's",
     "zena migrate --plan"),
    (("42501",), "right_missing", "a right is missing: row-level security or a grant",
     "zena runbook plan restore_rights"),
    (("40001", "40P01", "55P03"), "contention", "transactions hold each other up", "zena db activity"),
    (("23503",), "references", "rows point at what is not there", "zena db check-integrity"),
    (("53100",), "disk_full", "the disk is full", "zena status"),
)  # fmt: skip
#: Exceptions of the driver by their name, for errors that carry no SQLSTATE in what they are grouped by.
_NAMES: Final = {
    "TooManyConnectionsError": "53300", "CannotConnectNowError": "57P03", "AdminShutdownError": "57P01",
    "CrashShutdownError": "57P02", "ConnectionDoesNotExistError": "08003", "ConnectionRefusedError": "08006",
    "ConnectionResetError": "08006", "InterfaceError": "08006", "UndefinedTableError": "42P01",
    "UndefinedColumnError": "42703", "InsufficientPrivilegeError": "42501", "SerializationError": "40001",
    "DeadlockDetectedError": "40P01", "LockNotAvailableError": "55P03", "ForeignKeyViolationError": "23503",
    "DiskFullError": "53100",
}  # fmt: skip
_USERS: Final = BY_ID["errors"].families


async def watch(look: Look) -> list[Reading]:
    """Return one reading for all that users do."""
    series = await counted(look, _USERS)
    share = bad_share(series)
    says = (
        f"in {SHORT} minutes {share.near_bad} of {share.near_total} requests failed,"
        f" in {LONG} minutes {share.bad} of {share.total} ({share.far:.2%}); the limit is {LIMIT:.0%}"
    )
    over = share.over(LIMIT, least_bad=LEAST_BAD)
    people = Reading("", over, share.calm(LIMIT), says if share.total else "no requests", share.far, LIMIT)
    return [people, *await tried(look, "task")]


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name the kinds of error seen in the window, the most frequent first, and the route that has most of them."""
    seen = [one for one in await groups.grouped(look.conn, look.since(LONG), limit=10) if one["last_seen"] <= look.now]
    kinds = [one for one in seen if one["last_seen"] >= look.since(SHORT)] or seen  # what is over explains nothing now
    routes = sorted(await counted(look, _USERS), key=lambda one: -one.near_bad)
    change = await recent_change(look)
    told = [_kind(look, one, kinds, routes) for one in kinds[:3]]
    return ranked(
        [*told, _one_route(routes), unanswered(reading), change],
        [None if kinds else ("errors", "no kind of error was noted")],
    )


def _kind(look: Look, kind: dict[str, Any], kinds: list[dict[str, Any]], routes: list[Counted]) -> Hypothesis:
    share = kind["recent"] / max(1, sum(one["recent"] for one in kinds))
    new = kind["first_seen"] >= look.since(RECENT)
    place = f"{kind['what']} at {kind['place']}"
    evidence = [
        Evidence(
            "errors", f"{kind['fingerprint']}: {kind['recent']} times, first at {kind['first_seen']:%m-%d %H:%M} UTC",
            {"fingerprint": kind["fingerprint"], "recent": kind["recent"], "releases": kind["releases"],
             "tenants": len(kind["tenants"]), "request_id": kind["request_id"]},
        ),
        *(
            Evidence("requests", f"{one.near_bad} of {one.near_n} failed: {one.label}")
            for one in routes[:3] if one.near_bad
        ),
    ]  # fmt: skip
    known = _known(kind["what"])
    if known:
        cause, says, command = known
        return Hypothesis(cause, 0.5 + share / 2.5, f"{says}: {place}", evidence, command)
    says = f"{'new since some minutes' if new else 'seen before'}: {place}, {share:.0%} of the errors"
    command = f"zena why slow {kind['request_id']}" if kind["kept"] else "zena logs --level error --by-code"
    return Hypothesis("new_error" if new else "known_error", (0.5 if new else 0.3) + share / 3, says, evidence, command)


def _known(what: str) -> tuple[str, str, str] | None:
    state = next((state for name, state in _NAMES.items() if name in what), "")
    for prefixes, cause, says, command in _STATES:
        if state and state.startswith(prefixes):
            return cause, says, command
    return None


def _one_route(routes: list[Counted]) -> Hypothesis | None:
    bad = sum(one.near_bad for one in routes)
    if not bad or routes[0].near_bad / bad < 0.8:  # noqa: PLR2004 - most of them
        return None
    says = f"{routes[0].near_bad} of {bad} failures are those of {routes[0].label}"
    return Hypothesis("one_route", 0.3, says, [Evidence("requests", says)], "zena requests slow --for failed")


CAUSES: Final = frozenset({"new_error", "known_error", "one_route", UNANSWERED, *(state[1] for state in _STATES)})
SYMPTOM: Final = Symptom("A2", "API errors increasing", Severity.HIGH, watch, diagnose, CAUSES, folds=frozenset({"P1"}))
