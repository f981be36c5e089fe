"""Every address of the application, filled in; and answers made comparable."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx

from tests.factories.firms import As
from zena.kit.csrf import form_token
from zena.kit.state import State
from zena.main import routes_of

SAFE = frozenset({"GET", "HEAD"})
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")

_TOKEN = re.compile(r"(?<![\w-])[\w-]{44}(?![\w-])")  # of forms: new in each answer
_NONCE = re.compile(r"nonce-([\w-]+)")
_A_WORD = 4  # shorter values stand in any text
_VARYING = frozenset({"x-request-id", "date", "ratelimit-remaining", "ratelimit-reset", "content-length"})


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str

    @property
    def names(self) -> list[str]:
        """The parameters of its path."""
        return PARAMETER.findall(self.path)

    def at(self, ids: Mapping[str, str]) -> str:
        return PARAMETER.sub(lambda match: ids[match[1]], self.path)


def routes(state: State, *, safe: bool) -> list[Route]:
    """Return the routes that only read, or those that change something, by path."""
    found = {Route(method, path) for method, path, _ in routes_of(state) if (method in SAFE) is safe}
    return sorted(found, key=lambda route: (route.path, route.method))


def nothing_like(ids: Mapping[str, str]) -> dict[str, str]:
    """Return values of the same kinds that belong to nobody."""
    return {name: _stranger_to(value) for name, value in ids.items()}


def same_answer(answer: httpx.Response, sent: Mapping[str, str]) -> tuple[int, list[tuple[str, str]], str]:
    """Return an answer without what differs from request to request; what was sent is named instead."""

    def plain(text: str) -> str:
        for value, name in known:
            text = text.replace(value, f"<{name}>")
        return _TOKEN.sub("<form token>", text)

    known = [(answer.headers.get("x-request-id", "-"), "request")]
    known += [(nonce, "nonce") for nonce in _NONCE.findall(answer.headers.get("content-security-policy", ""))]
    known += [(value, name) for name, value in sorted(sent.items(), key=_by_length) if len(value) >= _A_WORD]
    headers = [(name, plain(value)) for name, value in answer.headers.multi_items() if name not in _VARYING]
    return answer.status_code, sorted(headers), plain(answer.text)


def told(answer: httpx.Response, canaries: set[str], sent: Mapping[str, str]) -> set[str]:
    """Return the canaries that stand anywhere in an answer, apart from what the caller sent."""
    seen = "\n".join([answer.text, *(f"{name}: {value}" for name, value in answer.headers.multi_items())]).lower()
    for value in sorted(sent.values(), key=len, reverse=True):
        seen = seen.replace(value.lower(), "")
    return {canary for canary in canaries if canary.lower() in seen}


def form_headers(speaker: As) -> dict[str, str]:
    """Return the form token as our scripts send it."""
    return {"x-zena-token": form_token(speaker.caller.form_secret)} if speaker.caller else {}


def _by_length(item: tuple[str, str]) -> int:
    return -len(item[1])


def _stranger_to(value: str) -> str:
    try:
        UUID(value)
    except ValueError:
        head, _, number = value.partition("-")
        like = "Z" + secrets.token_hex(8).upper()[: max(1, len(head) - 1)]
        return f"{like}-{number}" if number.isdecimal() else like if head.isupper() else value
    return str(uuid4())
