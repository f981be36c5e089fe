"""From an incident's page to a verified fix: the page writes orders, a worker carries them out, the page tells."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.accounts.browser import as_ops
from tests.conformance.crawl import form_headers
from tests.factories import Firm
from tests.factories.firms import As
from tests.operate.console import forget, make_operator
from tests.operate.remedied import PACE, Ward, session, warded
from tests.operate.watched import own_day
from zena.accounts.permissions import Role
from zena.kit.beside import beside
from zena.kit.clock import FixedClock
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import Forbidden
from zena.kit.state import State
from zena.operate.incidents import actions, timeline
from zena.operate.orders import book
from zena.operate.orders.book import Order
from zena.operate.orders.carrying import Carrier
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Hypothesis, ranked

AT = datetime(2031, 5, 6, 7, 0, tzinfo=UTC)


@pytest.fixture
async def operator(state: State, firm: Firm, http: httpx.AsyncClient) -> As:
    return await make_operator(state, firm, http)


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


@pytest.fixture
async def incident(ward: Ward) -> int:
    """Somebody holds a transaction open, and that was found to be the cause."""
    number = await ward.incident(BY_ID["B2"])
    found = ranked([Hypothesis("left_open", 0.9, "a program does nothing in it")])
    await actions.note_diagnosis(ward.day.conn, number, found, ward.day.now)
    return number


@pytest.fixture
def worker(state: State) -> State:
    """A worker of that day, whose minutes are short."""
    return replace(state, clock=FixedClock(AT), settings=state.settings.model_copy(update={"pace": PACE}))


async def order(operator: As, incident: int, **fields: str) -> httpx.Response:
    path = f"/ops/incidents/{incident}/orders"
    return await operator.post(path, headers=form_headers(operator), data=fields)


async def done(ward: Ward, incident: int) -> list[Any]:
    """Wait until nothing is open any more; return the orders, the newest first."""
    async with asyncio.timeout(30):
        while True:
            found = await book.orders_of(ward.day.conn, incident)
            if all(row["ended_at"] is not None for row in found):
                return found
            await asyncio.sleep(0.1)


async def test_what_is_open_stands_on_the_first_page_and_a_message_is_said_once(
    ward: Ward, operator: As, incident: int
) -> None:
    forget(operator.http)
    assert operator.caller is not None
    headers = operator.caller.headers | {"cookie": f"{operator.caller.headers['cookie']}; zena_flash=Here%20it%20is"}
    first = await operator.http.get("/ops", headers=headers)
    assert (f'href="/ops/incidents/{incident}"' in first.text, "Here it is" in first.text) == (True, True)
    assert "zena_flash=" in first.headers["set-cookie"]
    assert "Max-Age=0" in first.headers["set-cookie"]
    assert "set-cookie" not in (await operator.get("/ops")).headers, "nothing was said"


async def test_a_browser_goes_from_an_incident_to_a_verified_fix(
    state: State, worker: State, ward: Ward, operator: As, incident: int, urls: ClusterUrls, firm: Firm
) -> None:
    page = f"/ops/incidents/{incident}"
    assert 'id="plan-end_idle_transaction"' in (await operator.get(page)).text
    async with session(urls.app, "zena-leaky") as leak, beside(Carrier(worker).run()):
        await leak.execute("BEGIN")
        await leak.execute("SELECT 1")
        pid = await leak.fetchval("SELECT pg_backend_pid()")
        await asyncio.sleep(60 * PACE + 0.3)
        sent = await order(operator, incident, kind="plan", remedy="end_idle_transaction")
        assert (sent.status_code, sent.headers["location"]) == (303, page)
        assert 'data-poll="2"' in (await operator.get(page)).text
        assert (await done(ward, incident))[0]["state"] == "done"
        text = (await operator.get(page)).text
        assert f"end pid {pid} (zena_app zena-leaky)" in text
        assert await leak.fetchval("SELECT 1") == 1, "planning does nothing"
        await asyncio.sleep(60 * PACE + 0.3)
        wanted = re.search(r'name="hash" value="([0-9a-f]{64})"', text)
        assert wanted is not None
        await order(operator, incident, kind="apply", remedy="end_idle_transaction", hash=wanted[1])
        last = (await done(ward, incident))[0]
    assert last["state"] == "done", last["says"]
    assert ": fixed, " in last["says"]
    assert any(line == f"pid {pid} is ended" for line in last["told"])
    who = firm.people[Role.OWNER].email
    entries = [one["kind"] for one in await _timeline(ward, incident, who)]
    assert entries == ["remedy planned", "remedy applied"]
    assert [one["kind"] for one in await _timeline(ward, incident, "measured")] == ["remedy verdict"]
    change = "SELECT count(*) FROM ops.change WHERE kind = 'remedy' AND actor = $1"
    assert await ward.day.conn.fetchval(change, who) == 1
    shown = (await operator.get(page)).text
    assert 'data-poll="10"' in shown
    assert 'id="apply-end_idle_transaction"' not in shown, "a plan that was applied is not offered again"


async def _timeline(ward: Ward, incident: int, actor: str) -> list[Any]:
    return [one for one in await timeline.entries(ward.day.conn, incident) if one["actor"] == actor]


async def test_an_incident_is_taken_noted_and_closed_once(
    worker: State, ward: Ward, operator: As, incident: int, firm: Firm
) -> None:
    async with beside(Carrier(worker).run()):
        for fields in (
            {"kind": "acknowledge"}, {"kind": "note", "words": " the import \n did <it> "},
            {"kind": "close", "words": "announced"}, {"kind": "close", "words": "again"},
        ):  # fmt: skip
            assert (await order(operator, incident, **fields)).status_code == 303
            orders = await done(ward, incident)
    assert [(one["state"], one["says"]) for one in orders[:2]] == [
        ("refused", "the incident is closed already; nothing was done"), ("done", "closed"),
    ]  # fmt: skip
    told = await _timeline(ward, incident, firm.people[Role.OWNER].email)
    assert [one["kind"] for one in told] == ["acknowledged", "note", "closed"]
    text = (await operator.get(f"/ops/incidents/{incident}")).text
    assert "the import did &lt;it&gt;" in text
    assert 'value="close"' not in text


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"kind": "drop"}, {"kind": "note", "words": " "}, {"kind": "note", "words": "x" * 2001},
        {"kind": "note", "words": "a\x00b"}, {"kind": "plan", "remedy": "rm -rf"}, {"kind": "undo", "run": "7"},
        {"kind": "apply", "remedy": "analyze", "hash": "abc"}, {"kind": "undo", "run": "9" * 40},
    ],
)  # fmt: skip
async def test_a_form_that_is_none_of_ours_orders_nothing(
    ward: Ward, operator: As, incident: int, fields: dict[str, str]
) -> None:
    answer = await order(operator, incident, **fields)
    assert (answer.status_code, "data-poll" in answer.text) == (422, False), "where somebody types, nothing moves"
    assert await book.orders_of(ward.day.conn, incident) == []
    assert (await order(operator, incident + 1000, kind="acknowledge")).status_code == 404


async def test_taking_back_what_guards_wants_its_name_typed(ward: Ward, operator: As, incident: int) -> None:
    run = await ward.day.conn.fetchval(
        "INSERT INTO ops.remedy_run (remedy, symptom, scope, incident_id, actor, plan, plan_hash, key, before, at,"
        " ended_at, verdict) VALUES ('quarantine', 'B2', '', $1, 'me', '{}', 'x', 'orders-test', '{}', $2, $2,"
        " 'improved') RETURNING id", incident, AT,
    )  # fmt: skip
    page = f"/ops/incidents/{incident}?back={run}"
    assert f'href="{page}#back"' in (await operator.get(f"/ops/incidents/{incident}")).text
    assert 'name="words"' in (await operator.get(page)).text
    refused = await order(operator, incident, kind="undo", run=str(run), words="yes")
    assert (refused.status_code, "as it stands above" in refused.text) == (422, True)
    assert (await order(operator, incident, kind="undo", run=str(run), words="quarantine")).status_code == 303


@pytest.fixture
async def unreadable(ward: Ward) -> AsyncIterator[int]:
    """A kind of job fails, and one is held for arguments that nobody can read."""
    conn, kind = ward.day.conn, "work.unreadable"
    job = await conn.fetchval(
        "INSERT INTO queue.pgqueuer (priority, entrypoint, status, payload) VALUES (0, $1, 'failed', 'x') RETURNING id",
        kind,
    )
    await conn.execute(
        "INSERT INTO queue.pgqueuer_log (job_id, status, priority, entrypoint, traceback)"
        " VALUES ($1, 'failed', 0, $2, $3)", job, kind, {"exception_type": "DecodeError", "exception_message": "bad"},
    )  # fmt: skip
    for _ in range(20):
        ward.day.made.observe("job", kind, 1.0, bad=True)
    await ward.day.look()
    number = await ward.incident(BY_ID["Q2"], kind)
    await actions.note_diagnosis(conn, number, ranked([Hypothesis("payload", 0.9, "unreadable")]), ward.day.now)
    yield number
    await conn.execute("DELETE FROM queue.pgqueuer WHERE id = $1", job)


def copies(folder: Path) -> int:
    return len(list(folder.glob("exports/*")))


async def test_what_is_final_wants_its_name_typed(
    worker: State, ward: Ward, operator: As, unreadable: int, tmp_path: Path
) -> None:
    page = f"/ops/incidents/{unreadable}"
    away = replace(worker, settings=worker.settings.model_copy(update={"data_dir": tmp_path}))
    async with beside(Carrier(away).run()):
        await order(operator, unreadable, kind="plan", remedy="discard_held")
        assert (await done(ward, unreadable))[0]["state"] == "done", (await done(ward, unreadable))[0]["says"]
        text = (await operator.get(page)).text
        form = re.search(r'<form[^>]*id="apply-discard_held".*?</form>', text, re.DOTALL)
        assert form is not None
        wanted = {"kind": "apply", "remedy": "discard_held"} | dict(re.findall(r'name="(hash)" value="(\w+)"', form[0]))
        assert ('name="words"' in form[0], "data-confirm" in form[0], len(wanted)) == (True, False, 3)
        refused = await order(operator, unreadable, **wanted, words="yes")
        assert (refused.status_code, copies(tmp_path)) == (422, 0)
        await order(operator, unreadable, **wanted, words="discard_held")
        last = (await done(ward, unreadable))[0]
    assert (last["state"], copies(tmp_path)) == ("done", 1), last["says"]
    assert await ward.day.conn.fetchval("SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = 'work.unreadable'") == 0


async def test_only_a_proof_of_just_now_places_an_order(
    state: State, ward: Ward, operator: As, incident: int, firm: Firm, urls: ClusterUrls
) -> None:
    owner = firm.people[Role.OWNER]
    aged = "UPDATE session SET authenticated_at = now() - CAST(:age AS text)::interval WHERE user_id = :user"
    await as_ops(state, aged, user=owner.user, age="15 minutes")
    sent = await order(operator, incident, kind="acknowledge")
    assert sent.headers["location"] == f"/confirm?next=/ops/incidents/{incident}"
    number = await ward.day.conn.fetchval("SELECT id FROM session WHERE user_id = $1", owner.user)
    for one in (number, None):
        with pytest.raises(Forbidden):
            await book.place(state.db, one, Order(incident, "acknowledge"))
    await as_ops(state, aged, user=owner.user, age="1 minute")
    await as_ops(state, "UPDATE user_account SET is_operator = false WHERE id = :user", user=owner.user)
    assert (await order(operator, incident, kind="acknowledge")).status_code == 403
    with pytest.raises(Forbidden):
        await book.place(state.db, number, Order(incident, "acknowledge"))
    assert await book.orders_of(ward.day.conn, incident) == []
    for url in (urls.app, urls.ops_read):
        conn = await asyncpg.connect(url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute("UPDATE ops.operator_order SET state = 'waiting'")
        finally:
            await conn.close()


async def test_an_order_that_nobody_took_up_is_not_done_later(
    worker: State, ward: Ward, operator: As, incident: int
) -> None:
    await order(operator, incident, kind="close", words="too late")
    await ward.day.conn.execute(
        "UPDATE ops.operator_order SET at = now() - interval '121 seconds' WHERE incident_id = $1", incident
    )
    assert "No worker takes up" in (await operator.get(f"/ops/incidents/{incident}")).text
    async with beside(Carrier(worker).run()):
        found = (await done(ward, incident))[0]
    assert (found["state"], found["says"]) == (
        "refused", "no worker took it up within two minutes; nothing was done",
    )  # fmt: skip


async def test_two_workers_do_an_order_once_and_one_that_was_killed_leaves_it_told(
    worker: State, ward: Ward, operator: As, incident: int, urls: ClusterUrls
) -> None:
    await order(operator, incident, kind="note", words="once")
    killed = await asyncpg.connect(urls.ops)
    taken = await book.take(killed)
    assert taken is not None
    assert await book.take(ward.day.conn) is None, "it is the other's"
    assert taken["id"] not in await book.finish_interrupted(ward.day.conn), "it is under way"
    killed.terminate()
    async with beside(Carrier(worker).run()), beside(Carrier(worker).run()):
        found = (await done(ward, incident))[0]
        assert (found["state"], "look before anything else" in found["says"]) == ("interrupted", True)
        await order(operator, incident, kind="note", words="twice")
        assert (await done(ward, incident))[0]["state"] == "done"
    assert [text for kind, text in await ward.told(incident) if kind == "note"] == ["twice"]
