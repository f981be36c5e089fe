"""Idempotency-Key: a POST that is repeated is done once and answered alike."""

import asyncio
from collections import Counter

import asyncpg
import httpx
import pytest

from tests.conformance.rows import fingerprint
from tests.conformance.scene import APP
from tests.factories import Firm
from tests.factories.firms import As
from tests.factories.recorder import recording
from tests.work.making import made_project
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State

REPLAYED = "idempotent-replayed"


@pytest.fixture
async def tasks(state: State, firm: Firm) -> str:
    """The address where tasks of a project are made."""
    return f"{APP}/projects/{await made_project(state, firm)}/tasks"


@pytest.fixture
async def pm(firm: Firm, http: httpx.AsyncClient) -> As:
    return firm.client(http, "pm")


def key(value: str = "k-1") -> dict[str, str]:
    return {"idempotency-key": value}


async def test_the_same_key_twice_is_one_task_and_one_answer(pm: As, tasks: str, urls: ClusterUrls, firm: Firm) -> None:
    first = await pm.post(tasks, json={"name": "Dig"}, headers=key())
    stored = await fingerprint(urls, firm)
    with recording() as sent:
        again = await pm.post(tasks, json={"name": "Dig"}, headers=key())
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert sent.writes == []
    assert await fingerprint(urls, firm) == stored


async def test_twenty_at_once_make_one(pm: As, tasks: str) -> None:
    answers = await asyncio.gather(*(pm.post(tasks, json={"name": "Dig"}, headers=key()) for _ in range(20)))
    told = Counter(answer.status_code for answer in answers)
    assert set(told) <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"IDEMPOTENCY_KEY_CONFLICT"}
    assert (await pm.get(f"{tasks}?count=1")).json()["page"]["total"] == 1
    assert (await pm.post(tasks, json={"name": "Dig"}, headers=key())).headers[REPLAYED] == "true"


@pytest.mark.parametrize("body", [{"name": "Fill"}, {"name": "Dig", "priority": "high"}, {"name": "Dig "}, {}])
async def test_another_body_under_the_key_is_a_conflict(
    pm: As, tasks: str, urls: ClusterUrls, firm: Firm, body: dict[str, str]
) -> None:
    await pm.post(tasks, json={"name": "Dig"}, headers=key())
    stored = await fingerprint(urls, firm)
    answer = await pm.post(tasks, json=body, headers=key())
    assert answer.status_code in {409, 422}
    assert answer.json()["code"] in {"IDEMPOTENCY_KEY_CONFLICT", "VALIDATION_FAILED"}
    assert await fingerprint(urls, firm) == stored


async def test_another_address_under_the_key_is_a_conflict(pm: As, tasks: str) -> None:
    await pm.post(tasks, json={"name": "Dig"}, headers=key())
    answer = await pm.post(f"{APP}/projects", json={"name": "Dig"}, headers=key())
    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_KEY_CONFLICT")


async def test_a_key_belongs_to_one_person_of_one_firm(
    pm: As, tasks: str, firm: Firm, stranger: Firm, state: State, http: httpx.AsyncClient
) -> None:
    elsewhere = f"{APP}/projects/{await made_project(state, stranger)}/tasks"
    made = [
        await pm.post(tasks, json={"name": "Dig"}, headers=key()),
        await firm.client(http, "owner").post(tasks, json={"name": "Dig"}, headers=key()),
        await stranger.client(http, "pm").post(elsewhere, json={"name": "Dig"}, headers=key()),
    ]
    assert [answer.status_code for answer in made] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in made}) == 3


async def test_a_refusal_is_not_kept(pm: As, tasks: str) -> None:
    """What was refused may be sent again, mended, under the same key."""
    assert (await pm.post(tasks, json={"name": " "}, headers=key())).status_code == 422
    answer = await pm.post(tasks, json={"name": "Dig"}, headers=key())
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)


async def test_whoever_may_no_longer_gets_no_replay(pm: As, tasks: str, firm: Firm, urls: ClusterUrls) -> None:
    """B10: a kept answer is shown only to somebody who still passes the door."""
    await pm.post(tasks, json={"name": "Dig"}, headers=key())
    ops = await asyncpg.connect(urls.ops)
    assert pm.caller is not None
    await ops.execute(
        "UPDATE membership SET role = 'viewer' WHERE tenant_id = $1 AND id = $2", firm.tenant, pm.caller.member
    )
    await ops.close()
    assert (await pm.post(tasks, json={"name": "Dig"}, headers=key())).status_code == 403


@pytest.mark.parametrize("value", ["", "x" * 201, "\u00e9", "a\tb"])
async def test_what_is_no_key_is_refused(pm: As, tasks: str, value: str) -> None:
    answer = await pm.post(tasks, json={"name": "Dig"}, headers={b"idempotency-key": value.encode("latin-1")})
    assert answer.status_code in {400, 422}, answer.text


async def test_the_longest_key_is_taken(pm: As, tasks: str) -> None:
    assert (await pm.post(tasks, json={"name": "Dig"}, headers=key("x" * 200))).status_code == 201


async def test_only_posts_are_kept(pm: As, tasks: str, urls: ClusterUrls, firm: Firm) -> None:
    made = (await pm.post(tasks, json={"name": "Dig"})).json()
    await pm.patch(f"{APP}/tasks/{made['id']}", json={"name": "Fill"}, headers=key() | {"if-match": "*"})
    await pm.get(tasks, headers=key())
    ops = await asyncpg.connect(urls.ops)
    assert await ops.fetchval("SELECT count(*) FROM idempotency_key WHERE tenant_id = $1", firm.tenant) == 0
    await ops.close()


async def test_a_key_is_good_for_a_day(pm: As, tasks: str, urls: ClusterUrls, firm: Firm) -> None:
    first = await pm.post(tasks, json={"name": "Dig"}, headers=key())
    ops = await asyncpg.connect(urls.ops)
    await ops.execute(
        "UPDATE idempotency_key SET created_at = created_at - interval '24 hours 1 second' WHERE tenant_id = $1",
        firm.tenant,
    )
    await ops.close()
    again = await pm.post(tasks, json={"name": "Dig"}, headers=key())
    assert (again.status_code, again.headers.get(REPLAYED)) == (201, None)
    assert again.json()["id"] != first.json()["id"]
