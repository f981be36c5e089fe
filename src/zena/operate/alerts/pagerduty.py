"""PagerDuty, by its Events API v2: one alert per incident, whoever is on duty is paged."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from zena.kit.http import Reply
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.alerts.posting import parsed, post, refused
from zena.operate.alerts.words import headline

_TAKEN: Final = 202
_ACTIONS: Final = {"acknowledged": "acknowledge", "closed": "resolve"}
_SEVERITIES: Final = {"critical": "critical", "high": "error", "medium": "warning"}
_SUMMARY: Final = 1024


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """A service of PagerDuty, or of a gateway that speaks its Events API."""

    url: str
    key: str
    networks: Sequence[IPv4Network | IPv6Network] = ()
    name: str = "pagerduty"

    @property
    def where(self) -> str:
        return self.url

    async def send(self, notice: Notice) -> Answer:
        """Send an event; of a test the alert is resolved at once, so that nobody is kept awake by it."""
        answer = await self._post(notice, _ACTIONS.get(notice.kind, "trigger"))
        if notice.kind == "test" and answer.taken:
            return await self._post(notice, "resolve")
        return answer

    async def _post(self, notice: Notice, action: str) -> Answer:
        event: dict[str, Any] = {
            "routing_key": self.key,
            "event_action": action,
            "dedup_key": notice.ref or f"zena:{notice.host}:{notice.incident or notice.key}"[:255],
        }
        if action == "trigger":
            event |= _payload(notice)
        headers = {"Idempotency-Key": notice.key}
        reply = await post(f"{self.url}/v2/enqueue", json.dumps(event).encode(), headers, self.networks)
        if not isinstance(reply, Reply):
            return reply
        body = parsed(reply.body)
        if reply.status == _TAKEN:
            return Answer(taken=True, says=f"{reply.status} {action}", ref=event["dedup_key"])
        message = body.get("message")
        return refused(reply, message if isinstance(message, str) else "")


def _payload(notice: Notice) -> dict[str, Any]:
    return {
        "payload": {
            "summary": headline(notice)[:_SUMMARY],
            "source": notice.host,
            "severity": _SEVERITIES.get(notice.severity, "info"),
            "timestamp": notice.at.isoformat(),
            "component": notice.scope or "zena",
            "class": notice.symptom,
            "custom_details": notice.facts,
        },
        "links": [{"href": notice.link, "text": f"Incident {notice.incident}" if notice.incident else "Zena"}],
        "client": "Zena",
        "client_url": notice.link,
    }
