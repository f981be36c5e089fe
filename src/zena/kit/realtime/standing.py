"""How a hub stands, in plain values: written with each heartbeat, told by the health endpoint and to commands."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from zena.kit.realtime.member import Member

if TYPE_CHECKING:
    from zena.kit.realtime.hub import Hub

#: Firms that are named with their connections; what the others have is in the total.
_FIRMS: Final = 50
#: Channels that are listed of one connection.
_CHANNELS: Final = 20


def standing(hub: "Hub") -> dict[str, Any]:
    """Return connections, closes, refusals and the tail of one process. Firms by id, those with most first."""
    members = hub.members
    firms = Counter(str(member.entrant.scope.tenant) for member in members)
    return {
        "connections": len(members),
        "streams": sum(not member.must_speak for member in members),
        "unauthenticated": hub.strangers,
        "tenants": len(hub.feeds),
        "subscriptions": sum(len(member.subscriptions) for member in members),
        "firms": dict(firms.most_common(_FIRMS)),
        "firm_limit": hub.limits.connections_per_tenant,
        "closes": dict(hub.notes.closes),
        "counts": dict(hub.counts),
        "leaving": hub.is_leaving,
        **tail_of(hub),
    }


def tail_of(hub: "Hub") -> dict[str, Any]:
    """Return how the outbox is read here. Seconds; None where there is nothing to read for, or nothing came yet."""
    return {
        "hears_the_bell": hub.tail.hears,
        "tail_seconds": hub.tail.silent_for() if hub.feeds else None,
        "delivery_seconds": hub.tail.last_age,
    }


def connections_of(hub: "Hub", tenant: UUID, user: UUID) -> list[dict[str, Any]]:
    """Return the connections of one person in one firm, as they are at this moment."""
    now = asyncio.get_running_loop().time()
    return [
        _connection(hub, member, now)
        for member in hub.members
        if (member.entrant.scope.tenant, member.entrant.scope.user) == (tenant, user)
    ]


def _connection(hub: "Hub", member: Member, now: float) -> dict[str, Any]:
    feed = hub.feeds.get(member.entrant.scope.tenant)
    told = None if feed is None else feed.position
    ears = list(member.subscriptions.values())
    return {
        "way": "socket" if member.must_speak else "stream",
        "by": "session" if member.entrant.session else "token",
        "heard_seconds": round(now - member.heard_at, 1),
        "waiting_frames": member.mailbox.waiting,
        "channels": {str(ear.channel): told if ear.live else ear.cursor for ear in ears[:_CHANNELS]},
        "more_channels": max(0, len(ears) - _CHANNELS),
    }
