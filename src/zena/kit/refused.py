"""What a refusal leaves behind: its code on the access line, a line in channel security, a word of what was sought."""

import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from zena.kit.errors import Problem
from zena.kit.logs import get_logger
from zena.kit.sought import Sought
from zena.kit.telemetry import Telemetry
from zena.kit.visit import Visit

security = get_logger("zena.security")

_TELLING: Final = frozenset({401, 403, 429})
#: Nobody has tried anything: they are not signed in, or not any more.
_ORDINARY: Final = frozenset({"UNAUTHORIZED", "TOKEN_EXPIRED"})
_TOO_MANY: Final = 429
_MINUTE: Final = 60
#: Things of one request that are handed on; a longer list says nothing more.
_MOST_SOUGHT: Final = 20
_REMEMBERED: Final = 1_000
_told: dict[str, float] = {}


def note_refusal(visit: Visit, problem: Problem, *, method: str, route: str) -> None:
    """Note a refusal. Of somebody who asks too often, one line a minute: they must not fill the log either."""
    visit.code = problem.error_code
    if problem.status not in _TELLING or problem.error_code in _ORDINARY:
        return
    if problem.status == _TOO_MANY and _was_told(visit.client):
        return
    facts = {"method": method, "route": route, "client": visit.client}
    security.warning("refused", code=problem.error_code, status=problem.status, **facts)


def note_sought(telemetry: Telemetry, visit: Visit, route: str, problems: Sequence[Problem]) -> None:
    """Hand on what these refusals did not find, where somebody asked within a firm. The answer is not touched."""
    if not telemetry.on_sought or visit.tenant is None or visit.user is None:
        return
    who = UUID(visit.tenant), UUID(visit.user), visit.way
    wanted = dict.fromkeys(one for problem in problems for one in problem.sought)
    for kind, reference in list(wanted)[:_MOST_SOUGHT]:
        telemetry.sought(Sought(*who, kind, reference, route, visit.request_id, visit.client))


def _was_told(client: str) -> bool:
    now = time.monotonic()
    if now - _told.get(client, -_MINUTE) < _MINUTE:
        return True
    if len(_told) >= _REMEMBERED:
        _told.clear()
    _told[client] = now
    return False
