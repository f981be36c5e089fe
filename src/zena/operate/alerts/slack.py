"""Slack: one thread per incident; what calls for somebody is shown in the channel too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from zena.kit.http import Reply
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.alerts.posting import parsed, post, refused
from zena.operate.alerts.words import CALLS, lines

_OK: Final = 200
#: Slack cuts longer messages into several.
_LONGEST: Final = 3500


@dataclass(frozen=True, slots=True)
class Slack:
    """A channel of a Slack workspace, by chat.postMessage and a bot's token."""

    url: str
    token: str
    channel: str
    networks: Sequence[IPv4Network | IPv6Network] = ()
    name: str = "slack"

    @property
    def where(self) -> str:
        return f"{self.channel} at {self.url}"

    async def send(self, notice: Notice) -> Answer:
        thread = self._thread(notice)
        message = {"channel": self.channel, "text": _text(notice), "unfurl_links": False, "mrkdwn": True}
        if thread:
            message |= {"thread_ts": thread, "reply_broadcast": notice.kind in CALLS}
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": notice.key}
        reply = await post(f"{self.url}/chat.postMessage", json.dumps(message).encode(), headers, self.networks)
        return self._read(reply) if isinstance(reply, Reply) else reply

    def _read(self, reply: Reply) -> Answer:
        """Slack answers 200 and says in the body whether it took the message."""
        body = parsed(reply.body)
        if reply.status == _OK and body.get("ok") is True:
            ts = body.get("ts")
            return Answer(taken=True, says="ok", ref=f"{self.channel} {ts}" if isinstance(ts, str) else None)
        error = body.get("error")
        return refused(reply, error if isinstance(error, str) else "")

    def _thread(self, notice: Notice) -> str | None:
        """The incident's thread, if it was opened in this channel."""
        channel, _, ts = (notice.ref or "").rpartition(" ")
        return ts if channel == self.channel else None


def _text(notice: Notice) -> str:
    """Slack reads three characters as markup; the rest is ours."""
    text = "\n".join(lines(notice))
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…\n{notice.link}"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
