"""Posting JSON to the other side, and reading what it answers, whatever that is."""

import json
import ssl
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from urllib.parse import urlsplit

from zena.kit.errors import Invalid
from zena.kit.http import FetchFailed, HttpPolicy, Reply, SafeHttp
from zena.operate.alerts.contract import Answer

_PORTS: Final = {"http": 80, "https": 443}
_SHOWN: Final = 200


async def post(
    url: str, content: bytes, headers: Mapping[str, str], networks: Sequence[IPv4Network | IPv6Network]
) -> Reply | Answer:
    """Post JSON to an address that an operator has set; an Answer where no reply came.

    Inner addresses are refused, but those in `networks`.
    """
    parts = urlsplit(url)
    policy = HttpPolicy(ports=frozenset({parts.port or _PORTS[parts.scheme]}), allowed_networks=tuple(networks))
    try:
        return await SafeHttp(policy, tls=_tls()).send(
            "POST", url, headers={"Content-Type": "application/json; charset=utf-8", **headers}, content=content
        )
    except Invalid:
        return Answer(taken=False, says="its address is refused; an inner one wants ZENA_ALERT_NETWORKS")
    except FetchFailed as failure:
        if failure.reason == "refused":
            return Answer(
                taken=False, says="its name leads to a refused address; ZENA_ALERT_NETWORKS allows inner ones"
            )
        return Answer(taken=False, says=f"no answer: {failure.reason}")


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes a while, in which nothing else would go on."""
    return ssl.create_default_context()


def refused(reply: Reply, says: str = "") -> Answer:
    """Return the answer to a reply that is none of success."""
    told = f"{reply.status} {says or _shown(reply.body)}".strip()
    return Answer(taken=False, says=told[:_SHOWN], wait=retry_after(reply.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or as a date by the other side's clock; else None."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value[:9])
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):  # not there, no date, or one of them without a zone
        return None
    return max(0.0, wait.total_seconds())


def parsed(body: bytes) -> dict[str, Any]:
    """Return an answer's JSON object; an empty one for whatever is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(body: bytes) -> str:
    """The beginning of what was answered, one line of printable characters."""
    text = " ".join(body[: 4 * _SHOWN].decode("utf-8", "replace").split())
    return "".join(c for c in text if c.isprintable())[:_SHOWN]
