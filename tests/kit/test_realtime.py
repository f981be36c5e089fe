"""The live connection: every event after `since`, in order, once; to nobody who may not see it."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.factories import Firm
from tests.kit.bed import until
from tests.kit.live import CALM, Client, Live, as_superuser, channel_of, serving
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.realtime.standing import standing
from zena.kit.state import State

DICE = random.Random(20260301)  # noqa: S311 - where to cut, not a secret


@pytest.fixture
async def live(state: State) -> AsyncIterator[Live]:
    async with serving(state, CALM) as served:
        yield served


async def collect(client: Client, upto: int, seconds: float = 5.0) -> None:
    """Read events until this position."""
    while client.position < upto:
        told = await client.hear("event", seconds)
        assert told["position"] > client.position, "an event came twice or out of order"
        client.position = told["position"]
        client.numbers.append(told["position"])


async def test_an_event_reaches_its_listener_after_its_commit(live: Live, firm: Firm) -> None:
    project = new_id()
    async with live.client(live.admit(firm)) as client:
        told = await client.subscribe(channel_of(firm, object_id=project))
        assert (told["position"], told["recovered"]) == (0, False)
        await live.happen(firm, 1, project=new_id())
        await live.happen(firm, 2, project=project)
        heard = await client.hear("event", 1.0)
        assert (heard["position"], heard["type"], heard["channel"]) == (
            2,
            "probe.moved",
            channel_of(firm, object_id=project),
        )
        assert heard["data"]["project_id"] == str(project)
        assert "number" not in heard["data"], "contents are read through the ordinary doors"
        await client.say("ping")
        assert (await client.hear("pong"))["position"] == 2


async def test_G06_cut_at_random_fifty_changes_and_all_is_caught_up(live: Live, firm: Firm) -> None:
    token, channel = live.admit(firm), channel_of(firm)
    seen: list[int] = []

    async def write() -> None:
        for number in range(50):
            await live.happen(firm, *range(DICE.randint(1, 3)))
            await asyncio.sleep(DICE.random() * 0.02 if number % 7 else 0.1)

    writing = asyncio.create_task(write())
    position = 0
    while not (writing.done() and position == await head(live, firm)):
        async with live.client(token) as client:
            client.position = position
            assert (await client.subscribe(channel, since=position))["recovered"]
            for _ in range(DICE.randint(0, 9)):
                try:
                    await collect(client, client.position + 1, 0.3)
                except TimeoutError:
                    break
                if client.position == await head(live, firm):
                    break
            seen += client.numbers
            position = client.position
            client.socket.transport.abort()  # no goodbye
    await writing
    assert seen == list(range(1, position + 1))


async def test_G06_subscribing_while_events_come_leaves_no_gap_and_no_double(live: Live, firm: Firm) -> None:
    token = live.admit(firm)
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(60):
            await live.happen(firm, 1, 2)
        done.set()

    async def listen(delay: float) -> list[int]:
        await asyncio.sleep(delay)
        async with live.client(token) as client:
            await client.subscribe(channel_of(firm), since=0)
            await done.wait()
            await collect(client, await head(live, firm))
            return client.numbers

    writing = asyncio.create_task(write())
    heard = await asyncio.gather(*(listen(number * 0.01) for number in range(20)))
    await writing
    assert all(numbers == list(range(1, 121)) for numbers in heard)


async def test_a_position_the_listener_has_from_a_page_is_not_told_again(live: Live, firm: Firm) -> None:
    await live.happen(firm, 1, 2, 3)
    async with live.client(live.admit(firm)) as client:
        assert (await client.subscribe(channel_of(firm), since=2))["recovered"]
        assert (await client.hear("event"))["position"] == 3


@pytest.mark.parametrize("since", [1, 99_999, -5, 2**70])
async def test_a_position_too_old_or_unknown_is_not_recovered(state: State, firm: Firm, since: int) -> None:
    async with serving(state, type(CALM)(replay_events=3)) as live:
        await live.happen(firm, *range(10))
        async with live.client(live.admit(firm)) as client:
            told = await client.subscribe(channel_of(firm), since=since)
            assert (told["recovered"], told["position"]) == (False, 10)
            await live.happen(firm, 11)
            assert (await client.hear("event"))["position"] == 11


async def test_a_trimmed_outbox_sends_listeners_back_to_the_beginning(
    live: Live, firm: Firm, urls: ClusterUrls
) -> None:
    await live.happen(firm, *range(10))
    await as_superuser(urls, "DELETE FROM event WHERE position <= 5 AND tenant_id = $1", firm.tenant)
    async with live.client(live.admit(firm)) as client:
        assert (await client.subscribe(channel_of(firm), since=2))["recovered"]
        told = await client.hear("subscription")
        assert (told["recovered"], told["position"]) == (False, 10)


async def test_two_firms_hear_nothing_of_each_other(live: Live, firm: Firm, stranger: Firm) -> None:
    async with live.client(live.admit(firm)) as ours, live.client(live.admit(stranger)) as theirs:
        await ours.subscribe(channel_of(firm))
        await theirs.subscribe(channel_of(stranger))
        await live.happen(firm, 1)
        await live.happen(stranger, 1, 2)
        assert (await ours.hear("event"))["channel"] == channel_of(firm)
        assert [(await theirs.hear("event"))["channel"] for _ in range(2)] == [channel_of(stranger)] * 2
        for client in (ours, theirs):
            with pytest.raises(TimeoutError):
                await client.hear(seconds=0.2)


async def test_F24_without_notifications_polling_keeps_up(live: Live, firm: Firm, urls: ClusterUrls) -> None:
    async with live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))
        await live.happen(firm, 1)
        await client.hear("event")
        killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        assert await as_superuser(urls, killed)
        await live.happen(firm, 2)
        assert (await client.hear("event", 2.0))["position"] == 2
        await live.happen(firm, 3)
        assert (await client.hear("event", 2.0))["position"] == 3


async def test_a_slow_reader_is_closed_and_others_are_not_kept(state: State, firm: Firm) -> None:
    limits = type(CALM)(mailbox_frames=200, messages_per_connection=1_000)
    async with serving(state, limits) as live:
        token = live.admit(firm)
        async with live.client(token, sock=live.narrow_socket(), max_queue=1) as slow, live.client(token) as quick:
            await slow.subscribe(channel_of(firm))
            await quick.subscribe(channel_of(firm))
            slow.socket.transport.pause_reading()
            for number in range(1, 41):
                await live.happen(firm, *range(50))
                await collect(quick, number * 50)
            assert len(live.hub.members) == 1
            slow.socket.transport.resume_reading()
            assert await slow.closed() == 1013
            assert live.hub.notes.closes["1013 too slow"] == 1
    assert quick.numbers == list(range(1, 8 * 250 + 1))


async def test_a_replay_larger_than_the_mailbox_reaches_a_reader_that_keeps_up(state: State, firm: Firm) -> None:
    async with serving(state, type(CALM)(mailbox_frames=50)) as live:
        await flood(live, firm, 4)
        async with live.client(live.admit(firm)) as client:
            await client.subscribe(channel_of(firm), since=0)
            await collect(client, 1_000)
        assert client.numbers == list(range(1, 1_001))


async def test_a_bulk_change_larger_than_the_mailbox_is_no_reason_to_call_a_reader_slow(
    state: State, firm: Firm
) -> None:
    async with serving(state, type(CALM)(mailbox_frames=700)) as live, live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))
        await live.happen(firm, *range(1_000))
        await collect(client, 1_000)
    assert client.numbers == list(range(1, 1_001))


async def test_the_hub_holds_no_connection_while_nobody_listens(live: Live, firm: Firm, urls: ClusterUrls) -> None:
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    async with live.client(live.admit(firm)) as client:
        await client.subscribe(channel_of(firm))
        await live.happen(firm, 1)
        await client.hear("event")
        assert await as_superuser(urls, listening) == 1

    async def hung_up() -> bool:
        return await as_superuser(urls, listening) == 0

    await until(hung_up)
    assert (standing(live.hub)["connections"], live.hub.feeds) == (0, {})


async def test_stopping_the_server_tells_listeners_to_come_again(state: State, firm: Firm) -> None:
    async with serving(state, CALM) as live:
        token = live.admit(firm)
        async with live.client(token) as client:
            await client.subscribe(channel_of(firm))
            await live.hub.stop()
            told = await client.hear("error")
            assert (told["code"], 0 < told["retry_after"] <= 30) == ("restarting", True)
            assert await client.closed() == 1012
        assert live.hub.notes.closes == {"1012 restarting": 1}, "counted once, though both sides close"


async def test_whoever_comes_while_the_server_leaves_is_sent_on(state: State, firm: Firm) -> None:
    async with serving(state, CALM) as live:
        token = live.admit(firm)
        async with live.client(token) as client:
            await client.subscribe(channel_of(firm))
            await live.hub.farewell()
            assert await client.closed() == 1012
        async with live.stranger() as late:
            await late.say("authenticate", token=token)
            await late.hear("error")
            assert await late.closed() == 1013
        assert standing(live.hub)["connections"] == 0


async def test_F06_stopping_does_not_wait_for_a_database_that_hangs(
    state: State, urls: ClusterUrls, firm: Firm
) -> None:
    async with serving(state, CALM) as live:
        token = live.admit(firm)
        async with live.client(token) as client:
            await client.subscribe(channel_of(firm))
            ours = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = $1"
            pids: Any = await as_superuser(urls, ours, state.db.options.application)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                live.hub.tail.ring()
                await until(lambda: asyncio.sleep(0, state.db.pool.get_idle_size() < state.db.pool.get_size()))
                async with asyncio.timeout(15):
                    await live.hub.stop()
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            assert await client.closed() == 1012


async def flood(live: Live, firm: Firm, commits: int) -> None:
    for _ in range(commits):
        await live.happen(firm, *range(250))


async def head(live: Live, firm: Firm) -> int:
    async with live.hub.outbox.bound(firm.tenant) as connection:
        return await live.hub.outbox.head(connection, firm.tenant)
