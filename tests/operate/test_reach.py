"""Whom an incident reached: counted while it was open, told in numbers, shown by name to operators alone."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.factories import Firm, make_firm
from tests.kit.pg import ask
from tests.operate.console import make_operator
from tests.operate.told import Duty, on_duty
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.operate.console.sources import PAGES, page_of
from zena.operate.incidents.listing import one
from zena.operate.incidents.report import markdown
from zena.operate.symptoms import catalogue
from zena.operate.telemetry.recorder import LABELS

AT = datetime(2031, 12, 14, 2, 0, tzinfo=UTC)
REACHED = "meanwhile 7 of 506 requests were slow, 1 failed, in 2 firms; most: GET /dashboard"


@pytest.fixture
async def duty(state: State, urls: ClusterUrls) -> AsyncIterator[Duty]:
    async with on_duty(state, urls.ops, AT, "slack") as made:
        yield made


@pytest.fixture
async def hit(duty: Duty, firm: Firm, state: State, urls: ClusterUrls) -> AsyncIterator[str]:
    """The firm that meets it, beside many that work on and one by which the installation tries itself."""
    day, hit, own = duty.day, str(firm.tenant), await make_firm(state.db)
    await asyncio.to_thread(ask, urls.superuser, f"UPDATE tenant SET plan = 'probe' WHERE id = '{own.tenant}'")  # noqa: S608 - ours
    day.request("/dashboard", 900, 4, tenant=hit, spread=False)
    await day.look()
    day.later(minutes=3)
    day.request("/dashboard", 900, 5, tenant=hit, spread=False)
    day.request("/projects", 40, 1, status=500, tenant=hit, spread=False)
    day.request("/dashboard", 900, 1, tenant=str(own.tenant), spread=False)
    for _ in range(LABELS - 2):
        day.request("/dashboard", 20, tenant=str(new_id()), spread=False)
    day.request("/dashboard", 900, tenant=str(new_id()), spread=False)  # one more than are told apart
    await day.look()
    yield hit
    await asyncio.to_thread(ask, urls.superuser, f"UPDATE tenant SET plan = 'standard' WHERE id = '{own.tenant}'")  # noqa: S608 - ours


async def test_a_notice_says_how_many_it_reaches_and_names_no_firm(duty: Duty, hit: str) -> None:
    number = await duty.open()
    await duty.tell()
    [told] = duty.slack(number)
    assert (REACHED in told["text"].splitlines(), hit in told["text"]) == (True, False)


async def test_a_notice_goes_out_though_nobody_can_read_the_measurements(
    duty: Duty, hit: str, urls: ClusterUrls
) -> None:
    holder = await asyncpg.connect(urls.owner)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE ops.point IN ACCESS EXCLUSIVE MODE")
            number = await duty.open()
            await duty.tell()
            [told] = duty.slack(number)
        assert ("42 of 120 are slow" in told["text"], "meanwhile" in told["text"]) == (True, False)
    finally:
        await holder.close()


async def test_an_incident_shows_the_screens_and_firms_that_were_hit(
    duty: Duty, hit: str, state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    number = await duty.open()
    duty.day.later(minutes=2)
    await duty.close()
    found = await one(duty.day.conn, number)
    assert found is not None
    met = found["reach"]
    assert [(each["label"], each["slow"], each["failed"], each["asked"]) for each in met["firms"]] == [
        (hit, 5, 1, 6), ("other", 1, 0, 1)
    ]  # fmt: skip
    assert [(each["label"], each["slow"]) for each in met["screens"]] == [("GET /dashboard", 7), ("GET /projects", 0)]
    assert f"Whom it reached: {REACHED}." in markdown(found)
    page = (await (await make_operator(state, firm, http)).get(f"/ops/incidents/{number}")).text
    assert re.search(rf'href="/ops/tenants\?q={hit}">.*{firm.slug}', page)
    assert "<td>further firms</td>" in page
    assert 'href="/ops/requests?route=/dashboard"' in page
    assert "Of 506 requests 7 were slow and 1 failed, in 2 firms." in page


def sources() -> Iterator[str]:
    """What evidence may say it comes from: the first argument of every Evidence in the symptoms."""
    for module in Path(str(catalogue.__file__)).parent.glob("*.py"):
        yield from re.findall(r'Evidence\(\s*"([^"]+)"', module.read_text())
        yield from re.findall(r'Evidence\(\s*"[^"]+" if [^,]+ else "([^"]+)"', module.read_text())


def test_every_page_that_shows_evidence_shows_some_that_there_is() -> None:
    assert set(PAGES) <= set(sources())
    assert page_of("kept requests", "GET /api/v1/app/tasks") == "/ops/requests?route=/api/v1/app/tasks"
    assert (page_of("queue", "mail"), page_of("sessions")) == ("/ops/queue", None)
