"""Who gets in, what REST refuses, how much one may ask, and how soon a revoked listener is out."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import websockets
from sqlalchemy import text

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.live import CALM, Live, channel_of, serving
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import Forbidden, NotFound
from zena.kit.ids import new_id
from zena.kit.realtime import Limits
from zena.kit.realtime.standing import standing
from zena.kit.realtime.tickets import issue, ticket_digest
from zena.kit.scope import Identity
from zena.kit.sought import Sought
from zena.kit.state import State
from zena.kit.uow import tenant_work


@pytest.fixture
async def live(state: State) -> AsyncIterator[Live]:
    async with serving(state, CALM) as served:
        yield served


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "https://zena.test.evil.test", "http://zena.test", None]
)
async def test_G01_a_foreign_origin_is_refused_before_the_socket_is_accepted(live: Live, origin: str | None) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with live.stranger(origin=origin):
            pytest.fail("accepted")
    assert refused.value.response.status_code == 403


async def test_G01_a_program_with_a_bearer_token_needs_no_origin(live: Live) -> None:
    async with live.stranger(origin=None, additional_headers={"Authorization": "Bearer x"}):
        pass


async def test_silence_ends_with_4401(state: State) -> None:
    async with serving(state, Limits(authenticate_seconds=0.2)) as live, live.stranger() as client:
        assert await client.closed() == 4401


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"op": "authenticate", "token": "unknown"}, 4401),
        ({"op": "authenticate", "ticket": "unknown"}, 4401),
        ({"op": "authenticate"}, 4401),
        ({"op": "authenticate", "token": "a", "ticket": "b"}, 4401),
        ({"op": "authenticate", "token": "suspended"}, 4403),
        ({"op": "subscribe", "channel": "tenant:x:probes"}, 4401),
        ({"op": "ping"}, 4401),
    ],
)
async def test_who_does_not_say_who_it_is_gets_nothing(live: Live, said: dict[str, Any], code: int) -> None:
    live.keeper.entrants["suspended"] = Forbidden(code="NO_TENANT_ACCESS")
    async with live.stranger() as client:
        await client.say(**said)
        assert await client.closed() == code
    assert standing(live.hub)["unauthenticated"] == 0


async def test_a_ticket_opens_one_socket(live: Live, firm: Firm) -> None:
    ticket = live.admit(firm)
    async with live.stranger() as first, live.stranger() as second:
        await first.say("authenticate", ticket=ticket)
        await first.hear("authentication")
        await second.say("authenticate", ticket=ticket)
        assert await second.closed() == 4401


async def test_a_ticket_is_stored_as_a_hash_and_enters_once(state: State, firm: Firm) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    identity = Identity(
        user=caller.user,
        name="",
        email="",
        locale=None,
        timezone=None,
        is_operator=False,
        session=caller.session,
        token=None,
        form_secret=None,
    )
    scope = firm.scope("member", identity=identity)
    async with tenant_work(state.db, scope) as session:
        ticket = await issue(session, scope)
        stored = (await session.execute(text("SELECT hash FROM ws_ticket"))).scalars().all()
    assert stored == [ticket_digest(ticket)]
    enter = "SELECT user_id, tenant_id FROM gate.enter('ticket', $1)"
    assert dict(await state.db.pool.fetchrow(enter, ticket_digest(ticket))) == {
        "user_id": caller.user,
        "tenant_id": firm.tenant,
    }
    assert await state.db.pool.fetchrow(enter, ticket_digest(ticket)) is None


@pytest.fixture
def sought(state: State) -> Iterator[list[Sought]]:
    """What is handed on to whoever looks for attempts on other firms."""
    heard: list[Sought] = []
    state.telemetry.on_sought.append(heard.append)
    yield heard
    state.telemetry.on_sought.remove(heard.append)


async def test_G02_another_firms_channel_is_refused_and_handed_on(
    live: Live, firm: Firm, stranger: Firm, sought: list[Sought]
) -> None:
    async with live.client(live.admit(firm)) as client:
        await client.say("subscribe", channel=channel_of(stranger))
        told = await client.hear("error")
        assert (told["code"], told["channel"]) == ("cross_tenant", channel_of(stranger))
        await live.happen(stranger, 1)
        with pytest.raises(TimeoutError):
            await client.hear(seconds=0.3)
    assert standing(live.hub)["counts"]["cross_tenant"] == 1
    [one] = sought
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    assert one[:3] == (firm.tenant, caller.user, caller.session)
    assert (one.kind, one.reference, one.route) == ("tenant", str(stranger.tenant), "subscribe /ws")
    assert one.request_id


async def test_G02_probing_other_firms_ends_the_connection(live: Live, firm: Firm, sought: list[Sought]) -> None:
    async with live.client(live.admit(firm)) as client:
        for _ in range(30):
            await client.say("subscribe", channel=f"tenant:{new_id()}:probes")
        assert await client.closed() == 1008
    assert len(sought) < 10


@pytest.mark.parametrize(
    ("refusal", "code"), [(NotFound.of("project"), "not_found"), (Forbidden("tasks.view"), "permission_denied")]
)
async def test_what_rest_refuses_subscribe_refuses(live: Live, firm: Firm, refusal: Exception, code: str) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    live.rule.refusals[caller.user, "7"] = refusal
    async with live.client(live.admit(firm)) as client:
        await client.say("subscribe", channel=channel_of(firm, object_id=7))
        assert (await client.hear("error"))["code"] == code
        await client.subscribe(channel_of(firm, object_id=8))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tasks",
        "tenant:{t}",
        "tenant:{t}:",
        "tenant:{t}:unknown",
        "tenant:{t}:probes:",
        "tenant:{t}:probes:a b",
        "tenant:{t}:probes:1:2",
        "TENANT:{t}:probes",
        "tenant:{t}:probes\n",
        "tenant:{t}:probes:" + "x" * 65,
    ],
)
async def test_a_channel_that_is_none_is_refused(live: Live, firm: Firm, name: str) -> None:
    async with live.client(live.admit(firm)) as client:
        await client.say("subscribe", channel=name.format(t=firm.tenant))
        assert (await client.hear("error"))["code"] == "invalid_channel"


async def test_unsubscribing_ends_the_events(live: Live, firm: Firm) -> None:
    async with live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))
        await client.say("unsubscribe", channel=channel_of(firm))
        await client.hear("unsubscription")
        await client.say("unsubscribe", channel=channel_of(firm))
        assert (await client.hear("error"))["code"] == "invalid_channel"
        await live.happen(firm, 1)
        with pytest.raises(TimeoutError):
            await client.hear(seconds=0.3)


@pytest.mark.parametrize("code", [4401, 4403])
async def test_G03_a_revoked_listener_is_out_within_two_seconds(live: Live, firm: Firm, code: int) -> None:
    token = live.admit(firm)
    async with live.client(token) as client, live.client(live.admit(firm, "owner")) as other:
        await client.subscribe(channel_of(firm))
        await other.subscribe(channel_of(firm))
        entrant = live.keeper.entrants[token]
        assert not isinstance(entrant, Exception)
        live.keeper.gone[entrant.key] = code
        assert await client.closed(2.0) == code
        await live.happen(firm, 1)
        await other.hear("event")


async def test_G03_an_event_that_closes_access_is_acted_upon_before_the_next_is_told(live: Live, firm: Firm) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    async with live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm, object_id=None))
        live.rule.refusals[caller.user, None] = NotFound.of("project")
        await live.close_access(firm)
        await live.happen(firm, 1)
        assert (await client.hear("error"))["code"] == "not_found"
        await client.hear("unsubscription")
        with pytest.raises(TimeoutError):
            await client.hear(seconds=0.3)


async def test_G03_rights_are_asked_again_after_a_while_without_any_event(state: State, firm: Firm) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    async with serving(state, Limits(recheck_seconds=0.5)) as live, live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))
        live.rule.refusals[caller.user, None] = Forbidden("tasks.view")
        assert (await client.hear("error", 3.0))["code"] == "permission_denied"


async def test_nobody_stays_when_rights_cannot_be_checked(state: State, firm: Firm) -> None:
    async with serving(state, Limits(timeout_seconds=1.5)) as live, live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))

        async def fail(_: object) -> Any:
            raise OSError

        live.keeper.lapsed = fail  # type: ignore[method-assign,assignment]  # the database is away
        assert await client.closed(6.0) in {1013, 4408}


async def test_a_silent_peer_is_given_up_and_one_that_pings_is_not(state: State, firm: Firm) -> None:
    async with serving(state, Limits(timeout_seconds=1.2)) as live:
        token = live.admit(firm)
        async with live.client(token) as silent, live.client(token) as awake:
            waiting = asyncio.create_task(silent.closed())
            for _ in range(6):
                await awake.say("ping")
                await awake.hear("pong")
                await asyncio.sleep(0.5)
            assert await waiting == 4408


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01", 1003),
        ("not json", 1007),
        ("[" * 60_000, 1007),
        ("", 1007),
        ('{"op":"shout"}', 1008),
        ("[]", 1008),
        ('{"op":"ping","extra":1}', 1008),
        ('{"op":"subscribe","channel":7}', 1008),
        ('{"op":"authenticate","token":"x"}', 1008),
        ('{"op":"ping","x":' + "[" * 30_000 + "}", 1007),
        ("x" * 70_000, 1009),
    ],
)
async def test_G04_frames_that_are_no_messages_end_the_connection(
    live: Live, firm: Firm, frame: str | bytes, code: int
) -> None:
    async with live.client(live.admit(firm)) as client:
        await client.socket.send(frame)
        assert await client.closed() in {code, 1008}
    async with live.client(live.admit(firm)) as another:
        await another.subscribe(channel_of(firm))


async def test_G04_more_than_ten_messages_a_second_are_ignored_then_end_it(state: State, firm: Firm) -> None:
    async with serving(state, Limits()) as live, live.client(live.admit(firm)) as client:
        for _ in range(60):
            await client.say("ping")
        assert await client.closed() == 1008
        assert 10 <= client.heard["pong"] <= 12
        assert client.heard["error"] >= 1


async def test_G04_connections_of_one_person_and_of_one_firm_are_limited(state: State, firm: Firm) -> None:
    async with serving(state, Limits(connections_per_user=2, connections_per_tenant=3)) as live:
        mine, theirs = live.admit(firm), live.admit(firm, "viewer")
        async with live.client(mine), live.client(mine):
            assert await refused(live, mine) == ("connection_limit", 1013)
            async with live.client(theirs):
                assert await refused(live, live.admit(firm, "owner")) == ("connection_limit", 1013)
        await until(lambda: asyncio.sleep(0, standing(live.hub)["connections"] == 0))
        async with live.client(mine) as again:
            await again.say("ping")
            await again.hear("pong")


async def test_the_stream_tells_the_same_events_and_continues_where_it_ended(
    live: Live, firm: Firm, urls: ClusterUrls
) -> None:
    project = new_id()
    names = [channel_of(firm), channel_of(firm, object_id=project)]
    async with stream(live, firm, names) as lines:
        assert [await next_block(lines) for _ in names] == ["subscription", "subscription"]
        assert await idle_in_transaction(urls) == 0
        await live.happen(firm, 1)
        await live.happen(firm, 2, project=project)
        blocks = [await next_block(lines) for _ in range(5)]
        assert blocks == ["event", "id: 1", "event", "event", "id: 2"]
    await live.happen(firm, 3)
    async with stream(live, firm, names, last_id=1) as lines:
        blocks = [await next_block(lines) for _ in range(7)]
        assert blocks[2:] == ["event", "event", "id: 2", "event", "id: 3"]
    await until(lambda: asyncio.sleep(0, standing(live.hub)["connections"] == 0))


@pytest.mark.parametrize(("name", "status"), [("tenant:{other}:probes", 404), ("tenant:{t}:nothing", 422), (None, 422)])
async def test_the_stream_refuses_what_the_socket_refuses(
    live: Live, firm: Firm, stranger: Firm, name: str | None, status: int
) -> None:
    names = [] if name is None else [name.format(t=firm.tenant, other=stranger.tenant)]
    async with httpx.AsyncClient() as http:
        found = await http.get(**stream_request(live, firm, names))
        assert found.status_code == status, found.text
        anonymous = stream_request(live, firm, [channel_of(firm)])
        del anonymous["headers"]["cookie"]
        assert (await http.get(**anonymous)).status_code == 401


async def test_G03_a_stream_ends_when_its_session_does(live: Live, firm: Firm) -> None:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    async with stream(live, firm, [channel_of(firm)]) as lines:
        assert await next_block(lines) == "subscription"
        live.keeper.gone[f"{firm.tenant}:member:{caller.session}"] = 4401
        async with asyncio.timeout(2.5):
            assert [line async for line in lines if line] == []


async def refused(live: Live, token: str) -> tuple[str, int]:
    async with live.stranger() as client:
        await client.say("authenticate", token=token)
        return (await client.hear("error"))["code"], await client.closed()


def stream_request(live: Live, firm: Firm, names: list[str]) -> dict[str, Any]:
    caller = firm.people["member"]  # type: ignore[index]  # Role is a StrEnum
    headers = {"host": "zena.test", "cookie": f"__Host-zena={caller.cookie}"}
    url = f"http://127.0.0.1:{live.port}/api/v1/app/events"
    return {"url": url, "params": {"channel": names}, "headers": headers}


class stream:  # noqa: N801 - reads as the verb it is
    """An open event stream; gives its lines."""

    def __init__(self, live: Live, firm: Firm, names: list[str], last_id: int | None = None) -> None:
        self.request = stream_request(live, firm, names)
        if last_id is not None:
            self.request["headers"]["last-event-id"] = str(last_id)

    async def __aenter__(self) -> AsyncIterator[str]:
        self.http = httpx.AsyncClient(timeout=10)
        self.opened = await self.http.send(self.http.build_request("GET", **self.request), stream=True)
        assert self.opened.status_code == 200
        assert self.opened.headers["content-type"].startswith("text/event-stream")
        return self.opened.aiter_lines()

    async def __aexit__(self, *_: object) -> None:
        await self.opened.aclose()
        await self.http.aclose()


async def next_block(lines: AsyncIterator[str]) -> str:
    """Return the event's name, or the id line, of the next block."""
    found = ""
    async with asyncio.timeout(5):
        async for line in lines:
            if not line and found:
                break
            if line.startswith("event: "):
                found = line.removeprefix("event: ")
            elif line.startswith("id: "):
                found = line
    return found


async def idle_in_transaction(urls: ClusterUrls) -> int:
    connection = await asyncpg.connect(urls.superuser)
    try:
        count = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        return int(await connection.fetchval(count))
    finally:
        await connection.close()
