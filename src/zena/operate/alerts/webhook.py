"""A webhook: what happened as JSON, signed, so that whoever takes it knows that it is ours and fresh."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network

from zena.kit.clock import Clock
from zena.kit.http import Reply
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.alerts.posting import post, refused


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256, in hexadecimal, over the timestamp, a dot and the body."""
    signed = timestamp.encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address of the operators' own. `shown` is what may be told of it."""

    url: str
    secret: str
    shown: str
    clock: Clock
    networks: Sequence[IPv4Network | IPv6Network] = ()
    name: str = "webhook"

    @property
    def where(self) -> str:
        return self.shown

    async def send(self, notice: Notice) -> Answer:
        content = json.dumps({"key": notice.key, "kind": notice.kind, "link": notice.link, **notice.facts}).encode()
        timestamp = str(int(self.clock.now().timestamp()))
        headers = {
            "Idempotency-Key": notice.key,
            "Zena-Timestamp": timestamp,
            "Zena-Signature": signature(self.secret, timestamp, content),
        }
        reply = await post(self.url, content, headers, self.networks)
        if not isinstance(reply, Reply):
            return reply
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return Answer(taken=True, says=str(reply.status))
        return refused(reply)
