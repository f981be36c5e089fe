"""Requests made up from the API's own description, the same in each run, with ids and words that exist mixed in."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Err, Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

Described: TypeAlias = APIOperation[Any, Any, Any, Any]
Request: TypeAlias = Case[Described]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
PROBLEM = {"type", "title", "status", "detail", "instance", "ok", "code", "message", "traceId", "details"}
LEAK = re.compile(
    r"Traceback|File \"|site-packages|/src/zena|asyncpg|sqlalchemy|litestar|msgspec|"
    r"(SELECT|INSERT INTO|UPDATE|DELETE FROM) \w+|relation \"|constraint \"",
)
#: What fields of these names take, beside what their schema allows.
WORDS: Mapping[str, tuple[Any, ...]] = {
    "status": ("backlog", "in_progress", "blocked", "done", "canceled", "active", "on_hold", "completed", "archived"),
    "priority": ("low", "normal", "high", "urgent"),
    "risk_level": ("low", "medium", "high"),
    "cascade": ("cancel", None),
    "type": ("FS", "SS", "FF", "SF"),
    "hue": (0, 11),
    "lag_min": (0, -480, 480),
    "role": ("manager", "contributor", "viewer"),
    "timezone": ("Asia/Ho_Chi_Minh", "Europe/Paris"),
    "locale": ("en", "vi"),
    "currency": ("VND", "EUR"),
    "name": ("Dig", "Đào móng"),
    "email": ("somebody@guest.test",),
    "scopes": (["tasks.view"], []),
    "key": ("FUZZ", None),
    "start_on": ("2026-01-05", "2026-03-01", None),
    "end_on": ("2026-01-05", "2026-12-31", None),
    "due_on": ("2026-01-05", "2026-12-31", None),
    "progress": (0, 40, 100),
    "estimate_min": (0, 480, None),
    "version": (1, 2, None),
    "sort": ("-created_at", "name"),
    "due": ("overdue", "soon", "none"),
    "assignee": ("me", "none"),
}
#: Fields that hold an id, and whose.
IDS = {
    "parent_id": "other_task_id",
    "predecessor_id": "third_task_id",
    "owner_id": "member_id",
    "assignees": "member_id",
    "labels": "label_id",
    "after": "other_task_id",
    "before": "third_task_id",
    "ids": "other_task_id",
    "parent": "task_id",
    "label": "label_id",
}


@dataclass(slots=True)
class Told:
    """What a run saw: for the report, and so that a run which was never let in is noticed."""

    statuses: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def listing(self) -> str:
        counted = ", ".join(f"{status}: {times}" for status, times in sorted(self.statuses.items()))
        return f"{len(self.failures)} failures ({counted})\n" + "\n".join(self.failures[:40])


def operations(document: dict[str, Any]) -> list[Described]:
    """Return what a description holds; reading first, then what changes, then what ends things."""
    document.pop("security")  # who calls is ours to say; a wrong credential is another test's
    document["components"].pop("securitySchemes")
    schema = schemathesis.openapi.from_dict(document)
    return sorted((_readable(found) for found in schema.get_all_operations()), key=_rank)


def cases(operation: Described, mode: GenerationMode, count: int) -> list[Request]:
    """Return up to `count` requests for an operation; none where nothing of it can be wrong."""
    found: list[Request] = []

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(case: Request) -> None:
        found.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    return found[:count]


def fill(case: Request, ids: Mapping[str, str], dice: random.Random) -> None:
    """Put ids and words that exist into a request, where they make it no less wrong than it was."""
    wrong = {where for where, part in case.meta.components.items() if part.mode.is_negative} if case.meta else set()
    if ParameterLocation.PATH not in wrong and dice.random() < 0.8:
        case.path_parameters = {name: ids.get(name, value) for name, value in dict(case.path_parameters or {}).items()}
    if ParameterLocation.QUERY not in wrong and case.query:
        case.query = {name: _known(name, value, ids, dice) for name, value in dict(case.query).items()}
    if ParameterLocation.BODY not in wrong and isinstance(case.body, dict):
        case.body = {name: _known(name, value, ids, dice) for name, value in case.body.items()}


def request_of(case: Request, base: str, headers: Mapping[str, str]) -> httpx.Request:
    """Return the request as a client would send it; the caller's own headers win over made-up ones."""
    case.headers = {k: v for k, v in dict(case.headers or {}).items() if k.lower() not in headers}  # type: ignore[assignment]  # any mapping will do
    case.cookies = {}
    prepared = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
    sent: dict[str, Any] = {name: value for name, value in prepared.headers.items() if name.lower() not in headers}
    raw = [(_raw(name), _raw(value)) for name, value in [*sent.items(), *headers.items()]]
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
    assert isinstance(body, bytes), "a body is made in one piece"
    return httpx.Request(prepared.method or "", prepared.url or "", headers=raw, content=body)


def judge(case: Request, answer: httpx.Response, mode: GenerationMode) -> Iterator[str]:
    """Yield what is wrong with an answer. A request made to fit counts as fitting, whatever was put into it."""
    try:
        case.validate_response(answer, checks=CHECKS if mode.is_negative else CHECKS[:-1])
    except FailureGroup as group:
        for failure in group.exceptions:
            yield f"{failure.title}: {' '.join(str(failure).split())[:500]}"
    if answer.status_code >= 400:
        yield from _problem(answer)
        told = (leak[0] for leak in LEAK.finditer(answer.text) if leak[0] not in unquote_plus(str(answer.request.url)))
        yield from (f"tells {leak!r}" for leak in told)  # a name that was sent is sent back


def _problem(answer: httpx.Response) -> Iterator[str]:
    body = answer.json()
    if set(body) != PROBLEM:
        yield f"members {sorted(set(body) ^ PROBLEM)}"
        return
    if body["ok"] is not False or body["status"] != answer.status_code:
        yield "ok or status contradicts the answer"
    if body["traceId"] != answer.headers.get("x-request-id"):
        yield "traceId is not X-Request-Id"
    if not re.fullmatch(r"[A-Z][A-Z_]+", body["code"]) or not body["message"]:
        yield f"code {body['code']!r}, message {body['message']!r}"
    if answer.status_code == 422 and body["code"] == "VALIDATION_FAILED" and not body["details"].get("fields"):
        yield "422 names no field"


def _known(name: str, value: Any, ids: Mapping[str, str], dice: random.Random) -> Any:
    if isinstance(value, dict):
        return {inner: _known(inner, part, ids, dice) for inner, part in value.items()}
    if dice.random() < 0.3:
        return value
    known = ids.get(IDS.get(name, name))
    if known is not None:
        return [known] if isinstance(value, list) else known
    return dice.choice(WORDS[name]) if name in WORDS else value


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1", "replace")


def _readable(found: Ok[Described] | Err[InvalidSchema]) -> Described:
    assert isinstance(found, Ok), found.err()
    return found.ok()


def _rank(operation: Described) -> tuple[int, str, str]:
    ends = operation.path.startswith(("/api/v1/auth", "/api/v1/me")) or "member" in operation.path
    kind = {"get": 0, "delete": 3}.get(
        operation.method, 2 if ends or operation.path.endswith(("trash", "purge")) else 1
    )
    return kind, operation.path, operation.method
