"""What a line says: when, how severe, which channel, who and which request, and of an error its kind."""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import structlog

from zena.kit.logs.channels import CANARY, channel_of
from zena.kit.logs.errors import ERRORS, Kind, kind_of_event, kind_of_exception
from zena.kit.logs.redaction import Line, redact
from zena.kit.visit import current_visit

_HEAD: Final = ("at", "level", "channel", "event")
#: Every line carries these where they are known; null tells that nobody is behind it.
_WHO: Final = ("request_id", "tenant", "user")


def processors() -> Sequence[structlog.typing.Processor]:
    """Return what each line passes, ours and the libraries' alike."""
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.contextvars.merge_contextvars,
        _who,
        _kind,
        structlog.processors.format_exc_info,
        redact,
    ]


def as_json(_: Any, __: str, line: Line) -> str:
    head = {name: line.pop(name) for name in _HEAD if name in line}
    return json.dumps({**head, **line}, ensure_ascii=False, default=str)


def as_text(line: Line) -> str:
    """Return a line for people: time, level, message, facts; a stack is printed as such, below its line."""
    facts = {name: value for name, value in line.items() if value is not None}
    stack = facts.pop("exception", None)
    at, level, event, name = (str(facts.pop(key, "")) for key in ("at", "level", "event", "logger"))
    facts.pop("channel", None)
    told = " ".join(f"{key}={value}" for key, value in facts.items())
    text = f"{at[11:19]} {level:<7} {event}  {told} [{name}]"
    return text if stack is None else text + "\n    " + str(stack).replace("\\n", "\n    ")


def _who(_: Any, __: str, line: Line) -> Line:
    line["channel"] = channel_of(line.get("logger", ""))
    visit = current_visit()
    if visit is not None:
        line.setdefault("request_id", visit.request_id or None)
        line.setdefault("tenant", visit.tenant)
        line.setdefault("user", visit.user)
    for name in _WHO:
        line.setdefault(name, None)
    return line


def _kind(_: Any, level: str, line: Line) -> Line:
    """Count an error by its kind and name the kind on the line. Of one failed request, one line counts."""
    if line.get("logger") == CANARY:
        return line
    if logging.getLevelNamesMapping().get(level.upper().replace("EXCEPTION", "ERROR"), 0) < logging.ERROR:
        return line
    visit = current_visit()
    if line.get("logger") == "zena.requests" and visit is not None and visit.blamed:
        return line
    kind = _kind_of(line)
    line.update({"code": kind.code, "what": kind.what, "place": kind.place, "fingerprint": kind.fingerprint})
    ERRORS.count(kind, datetime.fromisoformat(line["at"]), line["tenant"], line["request_id"])
    if visit is not None:
        visit.blamed = True
    return line


def _kind_of(line: Line) -> Kind:
    code, channel = str(line.get("code") or "ERROR"), line["channel"]
    given = line.get("exc_info")
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if given and error is None:
        error = sys.exception()
    if error is not None:
        return kind_of_exception(code, error, channel)
    place = str(line.get("route") or line.get("logger", ""))
    event = f"{line['event']}: {line['error']}" if line.get("error") else str(line["event"])
    return kind_of_event(code, event, place, channel)
