"""What one process counts, minute by minute. Plain dictionaries on the loop's own thread: no lock, no await."""

import hashlib
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from zena.kit.logs import log_statement
from zena.kit.tally import REPEATED, Tally, caller
from zena.kit.visit import Visit, current_visit
from zena.operate.telemetry import limits
from zena.operate.telemetry.cells import Cell, Series
from zena.operate.telemetry.requests import Kept, Requests, why_kept
from zena.operate.telemetry.sketch import bin_of

#: Labels of one metric that are told apart within a minute; what comes after counts as `other`.
LABELS: Final = 500
#: Minutes kept while the database does not take them; older ones are lost, and counted as lost.
MINUTES: Final = 15
#: Requests that are noted before they are counted, all at once.
BATCH: Final = 64
_STATEMENTS: Final = 2_000
_REFUSED, _FAILED = 400, 500
#: What takes longer may be slow, milliseconds: whether it is depends on what was asked.
_SOON_SLOW: Final = min(limits.DASHBOARD, limits.API, limits.PAGE, limits.HEAVY)
#: Where people sign in with a password.
SIGN_IN: Final = frozenset({"POST /sign-in", "POST /api/v1/auth/login"})
_SIGNED_IN: Final = frozenset({"dashboard", "api", "page"})
_HTTP: Final = {family: f"http.{family}" for family in ("dashboard", "api", "page", "heavy", "own", "anonymous")}
_SPACES: Final = re.compile(r"\s+")
_MANY: Final = re.compile(r"\$\d+(?:::\w+(?:\[\])?)?(?:\s*,\s*\$\d+(?:::\w+(?:\[\])?)?){2,}")
_TEXT: Final = 4_000


@dataclass(slots=True)
class Statement:
    """A statement without its values."""

    fingerprint: str
    text: str
    caller: str | None = None


class Recorder:
    """The listeners of one process's telemetry, and what they counted since it was last taken away."""

    def __init__(self, requests: Requests, now: Callable[[], float] = time.time, pace: float = 1.0) -> None:
        self.requests = requests
        self.lost = 0  # minutes that were never written
        self.fresh: dict[str, Statement] = {}  # statements not yet written
        self.length = 60.0 * pace  # of a minute, seconds: shorter in the lab
        self._now = now
        self._end = 0.0  # of the running minute, seconds since the epoch
        self._minutes: dict[int, dict[Series, Cell]] = {}
        self._cells: dict[Series, Cell] = {}  # of the running minute
        self._sent: dict[str, Cell] = {}  # the same by the statement's text
        self._labels: dict[str, int] = {}
        self._statements: dict[str, Statement] = {}
        self._requests: list[tuple[str, str, int, float, str | None, bool]] = []  # noted, not yet counted
        self._queries: defaultdict[str, list[float]] = defaultdict(list)  # milliseconds by statement
        self._noted: list[tuple[str, str, float, bool, bool]] = []

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note a request, to be counted later; one worth a look is kept at once.

        Noted are plain values: a visit that was held until then would be walked through by the garbage collector.
        """
        now = self._now()
        if now >= self._end or len(self._requests) >= BATCH:
            self.settle()
        ms, visit = seconds * 1000, current_visit()
        if visit is None:
            self._requests.append((route, method, status, ms, None, False))
            return
        self._requests.append((route, method, status, ms, visit.tenant, visit.user is not None))
        tally = visit.tally
        sampled = self.requests.is_sample()
        if sampled or status >= _REFUSED or ms > _SOON_SLOW or tally.slow or tally.queries >= REPEATED:
            self._keep(visit, now, method, route, status, ms, sampled=sampled)

    def query(self, statement: str, seconds: float) -> None:
        """Note a statement. Called several times per request, so it is counted later."""
        ms = seconds * 1000
        self._queries[statement].append(ms)
        if ms > limits.QUERY:
            self._ask_caller(self._known(statement))
            log_statement(statement, seconds)

    def job(self, name: str, outcome: str, seconds: float, waited: float) -> None:
        self.observe("job", name, seconds * 1000, bad=outcome in {"retried", "held"})
        self.observe("job.wait", name, waited * 1000, slow=waited * 1000 > limits.JOB_WAIT)

    def cache(self, family: str, reason: str | None) -> None:
        """Count a look-up; a miss is `bad`, and counted once more by its reason."""
        self.observe("cache", family, 0, bad=reason is not None)
        if reason is not None:
            self.observe("cache.miss", f"{family}:{reason}", 0)

    def wait(self, seconds: float) -> None:
        self.observe("pool.wait", "raw", seconds * 1000)

    def delivered(self, seconds: float) -> None:
        ms = seconds * 1000
        self.observe("ws.delivery", "outbox", ms, slow=ms > limits.DELIVERY)

    def live(self, what: str, code: str) -> None:
        self.observe(f"ws.{what}", code, 0)

    def observe(self, metric: str, label: str, ms: float, *, bad: bool = False, slow: bool = False) -> None:
        if self._now() >= self._end:
            self.settle()
        self._noted.append((metric, label, ms, bad, slow))

    def settle(self) -> None:
        """Count what was noted: many at once cost half of what each does by itself, between other work.

        Called when a minute is over, after so many requests, four times a second, and before anything is written.
        """
        if not self._end:
            self._begin()
        queries, self._queries = self._queries, defaultdict(list)
        for statement, times in queries.items():
            cell = self._sent.get(statement)
            if cell is None:
                cell = self._sent[statement] = self._cell(Series("query", self._known(statement).fingerprint))
            cell.add_all(times, limits.QUERY)
        requests, self._requests = self._requests, []
        for request in requests:
            self._count(*request)
        noted, self._noted = self._noted, []
        for metric, label, ms, bad, slow in noted:
            self._add(metric, label, ms, bin_of(ms), bad, slow)
        if self._now() >= self._end:
            self._begin()

    def _count(self, route: str, method: str, status: int, ms: float, tenant: str | None, signed_in: bool) -> None:  # noqa: FBT001 - by name costs more
        family = _family(route, signed_in)
        bad = status >= _FAILED
        slow = not bad and ms > limits.slow_after(family)
        name, number = _named(method, route), bin_of(ms)
        self._add(_HTTP[family], name, ms, number, bad, slow)
        if name in SIGN_IN:
            self._add("sign_in", "password", ms, number, bad, slow=False)
        if tenant is not None and family != "own":
            self._add("tenant", tenant, ms, number, bad, slow)

    def _keep(  # noqa: PLR0913 - as the hook gives them
        self, visit: Visit, now: float, method: str, route: str, status: int, ms: float, *, sampled: bool
    ) -> None:
        """Keep a request whole if there is a reason to."""
        tally, name = visit.tally, _named(method, route)
        slow = status < _FAILED and ms > limits.slow_after(_family(route, visit.user is not None))
        repeated = tally.queries >= REPEATED and any(sent.times >= REPEATED for sent in tally.statements.values())
        why = why_kept(status, slow=slow, repeated=repeated, statement=tally.slow, sampled=sampled)
        if why is not None:
            at, costs = datetime.fromtimestamp(now, UTC), self._costs(tally)
            self.requests.keep(Kept.of(visit, at=at, name=name, status=status, ms=ms, why=why, statements=costs))

    def _add(self, metric: str, label: str, ms: float, number: int, bad: bool, slow: bool) -> None:  # noqa: FBT001 - by name costs more
        cell = self._cells.get((metric, label))  # type: ignore[call-overload]  # equal to a Series, and sooner made
        if cell is None:
            cell = self._cell(Series(metric, label))
        cell.add(ms, number, bad, slow)

    def minutes(self) -> Iterator[tuple[int, dict[Series, Cell]]]:
        """Yield what was counted, by number of the minute since the epoch; it stays until `forget`."""
        self.settle()
        yield from sorted(self._minutes.items())

    def forget(self, before: int) -> None:
        """Drop minutes older than `before`, which have been written."""
        for minute in [minute for minute in self._minutes if minute < before]:
            del self._minutes[minute]

    def _begin(self) -> None:
        """Turn to the running minute."""
        minute = int(self._now() // self.length)
        self._end = (minute + 1) * self.length
        while len(self._minutes) >= MINUTES:
            self.forget(min(self._minutes) + 1)
            self.lost += 1
        self._cells = self._minutes.setdefault(minute, {})
        self._labels, self._sent = {}, {}

    def _cell(self, series: Series) -> Cell:
        """Return the cell of a series in the running minute; that of `other` once its metric has too many labels."""
        found = self._cells.get(series)
        if found is not None:
            return found
        count = self._labels[series.metric] = self._labels.get(series.metric, 0) + 1
        if count > LABELS:
            series = Series(series.metric, "other")
        return self._cells.setdefault(series, Cell())

    def _known(self, statement: str) -> Statement:
        known = self._statements.get(statement)
        if known is None:
            if len(self._statements) >= _STATEMENTS:
                self._statements.clear()
            text = normal(statement)
            known = self._statements[statement] = Statement(fingerprint_of(text), text[:_TEXT])
            self.fresh[known.fingerprint] = known
        return known

    def _ask_caller(self, known: Statement) -> None:
        if known.caller is None:
            known.caller = caller()
            self.fresh[known.fingerprint] = known

    def _costs(self, tally: Tally) -> list[dict[str, object]]:
        """Return the costliest statements of a request: fingerprint, times, milliseconds, caller where known."""
        costly = sorted(tally.statements.items(), key=lambda item: -item[1].seconds)[:5]
        return [
            {
                "fingerprint": self._known(text).fingerprint,
                "times": sent.times,
                "ms": round(sent.seconds * 1000, 3),
                "caller": sent.caller,
            }
            for text, sent in costly
        ]


def _family(route: str, signed_in: bool) -> str:  # noqa: FBT001 - by name costs more
    """Return what a request is measured as. Who is sent to sign-in in no time would flatter the figures of others."""
    family = limits.family_of(route)
    return "anonymous" if family in _SIGNED_IN and not signed_in else family


def _named(method: str, route: str) -> str:
    return f"{method} {route}" if route else f"{method} (no route)"


def normal(statement: str) -> str:
    """Return a statement in one line, with a list of placeholders as one: IN ($1, $2, $3) reads IN ($..)."""
    return _SPACES.sub(" ", _MANY.sub("$..", statement)).strip()


def fingerprint_of(text: str) -> str:
    """Return the name of a normal statement: 12 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
