"""Why somebody hears nothing on a channel: each condition in its order, the last ones asked of the processes."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from zena.accounts.facade import member_scope, person_at
from zena.kit.db import Raw, raw
from zena.kit.errors import NotFound, Problem
from zena.kit.realtime.channels import Channel
from zena.kit.uow import enter_tenant, unit_of_work
from zena.operate.realtime.asking import Answers, ask
from zena.operate.realtime.processes import STUCK

if TYPE_CHECKING:
    from zena.accounts.facade import Person
    from zena.kit.state import State

Link = tuple[str, bool, str]

_FIRM: Final = "SELECT id, slug, status FROM tenant WHERE id = $1"
_BY_SLUG: Final = "SELECT id FROM tenant WHERE slug = $1"
_HEAD: Final = "SELECT position FROM tenant_head WHERE tenant_id = $1"
_LAST: Final = "SELECT type, at FROM event WHERE tenant_id = $1 AND position = $2"
_SERVED: Final = ("active", "trial")


async def reasons(state: "State", ops: Raw, *, email: str, name: str, firm: str | None = None) -> AsyncIterator[Link]:
    """Yield the conditions until one that does not hold makes the next ones pointless.

    `ops` is a connection as zena_ops, `firm` the short name of the one they are signed in to, where it is known.
    """
    channel = Channel.parse(name)
    known = sorted(state.registry.channels)
    if channel is None or channel.resource not in known:
        yield (
            "channel",
            False,
            f"no such channel: tenant:FIRM_ID:RESOURCE[:ID], with RESOURCE one of {', '.join(known)}",
        )
        return
    yield "channel", True, f"{channel.resource}{'' if channel.object_id is None else ' ' + channel.object_id}"
    person = await person_at(ops, state.secret, email)
    holds = True
    async for link in _standing(ops, person, channel, email, firm):
        holds = holds and link[1]
        yield link
    if person is None or not holds:
        return
    for link in await _granted(state, channel, person.id):
        holds = holds and link[1]
        yield link
    if holds:
        async for link in _live(ops, channel, person):
            yield link


async def _standing(
    ops: Raw, person: "Person | None", channel: Channel, email: str, firm: str | None
) -> AsyncIterator[Link]:
    """Yield whether the account is open and the channel's firm theirs."""
    if person is None:
        yield "account", False, f"nobody has the address {email}"
        return
    active = person.facts["is_active"]
    yield "account", active, person.name if active else f"deactivated: `zena user activate {email}`"
    row = await ops.fetchrow(_FIRM, channel.tenant)
    if row is None:
        yield "firm", False, "there is no firm with this id: cross_tenant"
        return
    if firm is not None and await ops.fetchval(_BY_SLUG, firm) != channel.tenant:
        yield "firm", False, f"cross_tenant: the channel is {row['slug']}'s, and a connection in {firm} may not hear it"
        return
    mine = next((one for one in person.firms if one["id"] == channel.tenant), None)
    if mine is None or mine["ended_at"] is not None:
        when = f"left on {mine['ended_at']:%Y-%m-%d}" if mine else "never a member"
        yield "firm", False, f"cross_tenant: the channel is {row['slug']}'s; they are {when}"
        return
    yield "firm", True, f"{mine['role']} of {row['slug']}"
    says = str(row["status"])
    yield "firm is served", row["status"] in _SERVED, says


async def _granted(state: "State", channel: Channel, user: UUID) -> list[Link]:
    """Ask the channel's own rule, as the application, in their name."""
    rule = state.registry.channels[channel.resource]
    try:
        async with unit_of_work(state.db) as session:
            await enter_tenant(session, channel.tenant, user)
            scope = await member_scope(session, tenant=channel.tenant, user=user, at=state.clock.now())
            await rule.allow(await raw(session), scope, channel.object_id)
    except NotFound as problem:
        return [("permission", True, "granted to the role"), ("object", False, f"not_found: {problem.detail}")]
    except Problem as problem:
        return [("permission", False, f"permission_denied: {problem.detail} Denied by rule, so silence is right")]
    what = "the whole resource" if channel.object_id is None else "exists, and they may see it"
    return [
        ("permission", True, "granted to the role; an API token may carry less"),
        ("object", True, what),
    ]


async def _live(ops: Raw, channel: Channel, person: "Person") -> AsyncIterator[Link]:
    """Yield what the processes answer about the connections themselves."""
    answers = await ask(ops, channel.tenant, person.id)
    open_ones = [(row, one) for row in answers.given for one in row["facts"]["connections"]]
    if not open_ones:
        yield "connected", False, _absent(answers, channel, person)
        return
    yield "connected", True, "; ".join(_connections(open_ones)) + _unheard(answers)
    hearing = [(row, one) for row, one in open_ones if str(channel) in one["channels"]]
    if not hearing:
        yield "subscribed", False, _elsewhere(answers.given, [one for _, one in open_ones])
        return
    yield "subscribed", True, f"{len(hearing)} of {len(open_ones)} connections"
    yield _tail(max((row for row, _ in hearing), key=lambda row: row["facts"]["tail_seconds"] or 0.0))
    yield await _told(ops, channel, *min(hearing, key=lambda pair: pair[1]["channels"][str(channel)]))


def _connections(open_ones: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[str]:
    kinds: dict[str, list[float]] = {}
    for row, one in open_ones:
        kind = f"{one['way']} by {one['by']} at {row['role']} {row['host']} pid {row['pid']}"
        kinds.setdefault(kind, []).append(one["heard_seconds"])
    for kind, heard in sorted(kinds.items()):
        last = "" if kind.startswith("stream") else f", last heard {min(heard):g} s ago"
        yield f"{len(heard)} {kind}{last}"


def _unheard(answers: Answers) -> str:
    return f"; NO ANSWER from {', '.join(answers.silent)}" if answers.silent else ""


def _absent(answers: Answers, channel: Channel, person: "Person") -> str:
    if answers.silent:
        return f"not known: no answer from {', '.join(answers.silent)}; `zena websocket status`"
    if not answers.reporting:
        return "no process reports: does `zena serve` run, is ZENA_TELEMETRY on?"
    sessions = next(one["sessions"] for one in person.firms if one["id"] == channel.tenant)
    signed_in = f"{sessions} sessions signed in to this firm" if sessions else "no session is signed in to this firm"
    return f"no open connection at {answers.reporting} processes; {signed_in}{_notes(answers.given)}"


def _elsewhere(given: Sequence[dict[str, Any]], connections: Sequence[dict[str, Any]]) -> str:
    others = sorted({name for one in connections for name in one["channels"]})
    heard = f"they hear {', '.join(others)}" if others else "they hear nothing"
    more = sum(one["more_channels"] for one in connections)
    hidden = f" and {more} more that are not listed" if more else ""
    return f"no connection hears this channel; {heard}{hidden}{_notes(given)}"


def _notes(given: Sequence[dict[str, Any]]) -> str:
    notes = sorted((note for row in given for note in row["facts"]["notes"]), key=lambda note: note["at"], reverse=True)
    last = ", ".join(f"{note['said']} at {note['at'][11:19]} UTC" for note in notes[:3])
    return f"; last: {last}" if last else "; the processes that run remember no ending of theirs"


def _tail(row: dict[str, Any]) -> Link:
    facts = row["facts"]
    seconds = facts["tail_seconds"]
    alive = seconds is not None and seconds < STUCK
    bell = "woken by the database" if facts["hears_the_bell"] else "not woken by the database, looks each second"
    says = f"{bell}; last read {seconds:g} s ago" if seconds is not None else "not read"
    return "outbox is read", alive, says


async def _told(ops: Raw, channel: Channel, row: dict[str, Any], one: dict[str, Any]) -> Link:
    """Compare where the connection stands with where the firm stood when we asked again."""
    position, head = one["channels"][str(channel)], int(await ops.fetchval(_HEAD, channel.tenant) or 0)
    last = await ops.fetchrow(_LAST, channel.tenant, head)
    what = f"; the firm's last is {head}: {last['type']} at {last['at']:%H:%M:%S} UTC" if last else f" of {head}"
    waits = one["waiting_frames"]
    slow = f"; {waits} frames wait for the reader to take them" if waits else ""
    says = f"told up to {position}{what}{slow}; an event shows only if it concerns the channel"
    return "last event passed", waits == 0 and position >= min(head, row["facts"]["position"] or 0), says
