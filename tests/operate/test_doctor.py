"""`zena doctor` and `zena incident`, as somebody calls them at night."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.operate.commands import Terminal
from tests.operate.console import make_operator
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.d1_slow_dashboard import SYMPTOM as D1
from zena.operate.watch.rounds import look_around

AT = datetime(2031, 8, 9, 3, 0, tzinfo=UTC)


@pytest.fixture
def run(urls: ClusterUrls, tmp_path: Path) -> Terminal:
    return Terminal(urls, tmp_path)


@pytest.fixture
async def incident(state: State, urls: ClusterUrls) -> AsyncIterator[int]:
    """An open incident of the year 2031, with a cause."""
    async with own_day(state, urls.ops, AT) as day:
        day.request("/dashboard", 900, times=30, statement="SELECT 1", sent=40, spent=700)
        made = [one for _ in range(2) for one in await look_around(await day.look(), [D1])]
        yield made[0].id


async def test_the_doctor_looks_at_everything_and_says_what_it_could_not_tell(run: Terminal) -> None:
    found = await run("doctor", "--json")
    told = json.loads(found.out)
    assert [one["symptom"] for one in told["symptoms"]] == list(BY_ID)
    assert {one["verdict"] for one in told["symptoms"]} <= {"ok", "wrong", "no data"}, told
    assert any("never looked at" in line for line in told["detectors"]), "nobody watches here, which is a finding"
    assert found.code == 1
    text = (await run("doctor", "q1")).out
    assert text.startswith("Q1  Queue backlog increasing")
    assert (await run("doctor", "Z9")).code == 64


async def test_an_incident_is_listed_shown_taken_noted_and_closed(run: Terminal, incident: int) -> None:
    number = str(incident)
    listed = await run("incident", "list")
    assert (listed.code, f"{number} " in listed.out, "n_plus_one" in listed.out) == (1, True, True)
    assert "**n_plus_one**" in (await run("incident", "show", number)).out
    status = (await run("status")).out
    assert f"1 OPEN: {number} D1 (n_plus_one): `zena incident list`" in status
    assert "watch      NOT WATCHED" in status
    assert (await run("incident", "ack", number)).code == 0
    assert (await run("incident", "ack", number)).code == 0, "twice is once"
    assert (await run("incident", "note", number, "  the import\n dropped it ")).code == 0
    assert (await run("incident", "note", number, " ")).code == 64
    assert (await run("incident", "close", number, "--reason", "announced")).code == 0
    again = await run("incident", "close", number, "--reason", "announced")
    assert (again.code, again.err.strip()) == (65, f"zena: incident {number} is closed already")
    assert (await run("incident", "show", "999999")).code == 65
    told = json.loads((await run("incident", "show", number, "--json")).out)
    kinds = [(one["kind"], one["body"].get("text") or one["body"].get("reason")) for one in told["timeline"][2:]]
    assert kinds == [("acknowledged", None), ("note", "the import dropped it"), ("closed", "announced")]
    assert (told["state"], told["verified_at"], told["intact"]) == ("closed", None, True)
    assert "no measurement verified it" in (await run("incident", "report", number)).out


async def test_a_timeline_that_was_changed_says_so(run: Terminal, incident: int, urls: ClusterUrls) -> None:
    conn = await asyncpg.connect(urls.superuser)
    try:
        change = 'UPDATE ops.incident_event SET body = \'{"says": "all was well"}\' WHERE incident_id = $1 AND seq = 1'
        await conn.execute(change, incident)
    finally:
        await conn.close()
    shown = await run("incident", "show", str(incident))
    assert "does not hold" in shown.out
    told = json.loads((await run("incident", "show", str(incident), "--json")).out)
    assert [one["broken"] for one in told["timeline"]] == [True, False]


async def test_the_console_shows_it_with_its_causes_and_times(
    state: State, firm: Firm, http: httpx.AsyncClient, incident: int
) -> None:
    operator = await make_operator(state, firm, http)
    listed = await operator.get("/ops/incidents")
    assert (listed.status_code, f'href="/ops/incidents/{incident}"' in listed.text) == (200, True)
    assert "never looked at" in listed.text, "a symptom that nobody watches is told"
    shown = await operator.get(f"/ops/incidents/{incident}")
    assert (shown.status_code, "n_plus_one" in shown.text, "pool_wait" in shown.text) == (200, True, True)
    for number in (0, incident + 1000, 2**70):
        assert (await operator.get(f"/ops/incidents/{number}")).status_code == 404
