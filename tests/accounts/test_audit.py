"""J06: the record of what was done cannot be edited, cut or back-dated unseen."""

import httpx
import pytest

from tests.accounts.browser import as_ops, make_person
from tests.factories import Firm
from zena.accounts.facade import verify_chain
from zena.accounts.permissions import Role
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work

FORGED = """UPDATE audit_entry SET digest = sha256('x'), hash = sha256(prev_hash || sha256('x'))
 WHERE tenant_id = :t AND position = 3"""
SWAPPED = """UPDATE audit_entry SET position = CASE position WHEN 2 THEN 903 ELSE 902 END
 WHERE tenant_id = :t AND position IN (2, 3)"""


async def _busy(firm: Firm, http: httpx.AsyncClient, state: State, changes: int = 6) -> None:
    person = await make_person(state, firm)
    for turn in range(changes):
        answer = await firm.client(http).patch(
            f"/api/v1/app/members/{person.member}",
            json={"role": ["viewer", "member"][turn % 2]},
            headers={"if-match": "*"},
        )
        assert answer.status_code == 200


async def _verdict(firm: Firm, state: State) -> tuple[bool, int | None]:
    async with unit_of_work(state.db) as session:
        await enter_tenant(session, firm.tenant)
        report = await verify_chain(session, firm.tenant)
    return report.intact, report.first_bad


async def test_a_chain_is_whole(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    await _busy(firm, http, state)
    assert await _verdict(firm, state) == (True, None)
    told = (await firm.client(http).get("/api/v1/app/audit/verification")).json()
    assert told == {"intact": True, "checked": 7, "first_bad": None, "reason": None}
    assert "The record is whole" in (await firm.client(http).get("/audit?verify=1")).text


@pytest.mark.parametrize(
    ("attack", "first_bad"),
    [
        ('UPDATE audit_entry SET after = \'{"role": "owner"}\' WHERE tenant_id = :t AND position = 3', 3),
        ("UPDATE audit_entry SET actor = NULL WHERE tenant_id = :t AND position = 4", 4),
        ("UPDATE audit_entry SET at = '2020-01-01T00:00:00+00:00' WHERE tenant_id = :t AND position = 2", 2),
        ("DELETE FROM audit_entry WHERE tenant_id = :t AND position = 5", 5),
        ("DELETE FROM audit_entry WHERE tenant_id = :t AND position >= 6", 6),
        ("UPDATE audit_entry SET hash = sha256(hash) WHERE tenant_id = :t AND position = 1", 1),
        (FORGED, 3),
        (SWAPPED, 2),
    ],
)
async def test_J06_each_attack_is_found_at_its_place(
    attack: str, first_bad: int, firm: Firm, http: httpx.AsyncClient, state: State
) -> None:
    await _busy(firm, http, state)
    await as_ops(state, attack, t=firm.tenant)
    assert await _verdict(firm, state) == (False, first_bad)
    assert "tampered with" in (await firm.client(http).get("/audit?verify=1")).text


async def test_an_address_may_be_erased_without_breaking_the_chain(
    firm: Firm, http: httpx.AsyncClient, state: State
) -> None:
    await _busy(firm, http, state)
    await as_ops(state, "UPDATE audit_entry SET ip = NULL WHERE tenant_id = :t", t=firm.tenant)
    assert await _verdict(firm, state) == (True, None)


async def test_the_record_says_who_what_and_from_where(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    await _busy(firm, http, state, 1)
    owner = firm.client(http)
    entries = (await owner.get("/api/v1/app/audit", params={"action": "membership.role_changed"})).json()["data"]
    assert len(entries) == 1
    entry = entries[0]
    assert entry["actor"] == str(firm.people[Role.OWNER].member)
    assert (entry["before"], entry["after"]) == ({"role": "member"}, {"role": "viewer"})
    assert entry["ip"]
    assert entry["request_id"]
    assert len((await owner.get("/api/v1/app/audit", params={"action": "membership."})).json()["data"]) == 2
    by = {"who": str(firm.people[Role.ADMIN].member)}
    assert (await owner.get("/api/v1/app/audit", params=by)).json()["data"] == []


async def test_the_record_comes_in_pages_newest_first(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    await _busy(firm, http, state)
    owner = firm.client(http)
    first = (await owner.get("/api/v1/app/audit?limit=4")).json()
    rest = (await owner.get(f"/api/v1/app/audit?limit=4&cursor={first['page']['next']}")).json()
    positions = [entry["position"] for entry in first["data"] + rest["data"]]
    assert positions == list(range(7, 0, -1))
    assert rest["page"]["next"] is None


async def test_nothing_is_recorded_for_what_was_refused(firm: Firm, http: httpx.AsyncClient, state: State) -> None:
    target = firm.people[Role.OWNER].member
    refused = await firm.client(http, "admin").delete(f"/api/v1/app/members/{target}")
    assert refused.status_code == 403
    assert await as_ops(state, "SELECT 1 FROM audit_entry WHERE tenant_id = :t", t=firm.tenant) == []
