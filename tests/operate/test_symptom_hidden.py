"""T1: people who are shut out by nobody's decision, and policies that hide rows; what was decided opens nothing."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.operate.watched import Day, own_day
from zena.accounts.permissions import Role
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.symptoms.contract import Look
from zena.operate.symptoms.t1_hidden_data import SYMPTOM
from zena.operate.tenants.standing import suspend

AT = datetime(2031, 11, 12, 12, 0, tzinfo=UTC)


@pytest.fixture
async def day(state: State, urls: ClusterUrls) -> AsyncIterator[Day]:
    async with own_day(state, urls.ops, AT) as made:
        yield made


async def causes(look: Look, scope: str) -> list[tuple[str, str]]:
    """What is behind the readings of one scope that are over, with what is said of it."""
    over = [one for one in await SYMPTOM.watch(look) if one.scope == scope and one.over]
    found = [cause for one in over for cause in (await SYMPTOM.diagnose(look, one)).causes]
    assert {one.cause for one in found} <= SYMPTOM.causes | {"recent_change"}
    return [(one.cause, " ".join([one.says, *(fact.says for fact in one.evidence)])) for one in found]


async def end_by_hand(day: Day, member: UUID, firm: Firm) -> None:
    statement = "UPDATE membership SET ended_at = $3 WHERE tenant_id = $1 AND id = $2"
    await day.conn.execute(statement, firm.tenant, member, day.now)


async def test_who_was_removed_in_the_product_is_told_from_who_was_shut_out_by_hand(
    day: Day, firm: Firm, http: httpx.AsyncClient
) -> None:
    removed, shut = firm.people[Role.MEMBER], firm.people[Role.VIEWER]
    answer = await firm.client(http, "owner").delete(f"/api/v1/app/members/{removed.member}")
    assert answer.status_code in {200, 204}, answer.text
    await end_by_hand(day, removed.member, firm)  # on this day, with the event that it has
    look = await day.look()
    assert await causes(look, f"firm {firm.tenant}") == []
    await end_by_hand(day, shut.member, firm)
    [(cause, says)] = await causes(look, f"firm {firm.tenant}")
    assert (cause, str(shut.user) in says, str(removed.user) in says) == ("no_membership", True, False)
    await day.conn.execute("UPDATE membership SET ended_at = NULL WHERE tenant_id = $1", firm.tenant)
    assert await causes(look, f"firm {firm.tenant}") == []


async def test_a_firm_suspended_by_its_command_is_told_from_one_by_hand(
    day: Day, firm: Firm, stranger: Firm, state: State
) -> None:
    for one in (firm, stranger):
        seen = "UPDATE session SET last_seen_at = $2, active_tenant = $1 WHERE user_id = $3"
        await day.conn.execute(seen, one.tenant, day.now, one.people[Role.PM].user)
    await suspend(state, firm.slug, "unpaid", "somebody")
    await day.conn.execute("UPDATE tenant SET status = 'suspended' WHERE id = $1", stranger.tenant)
    look = await day.look()
    assert await causes(look, f"firm {firm.tenant}") == []
    [(cause, says)] = await causes(look, f"firm {stranger.tenant}")
    assert (cause, str(stranger.people[Role.PM].user) in says) == ("suspended_firm", True)
    await day.conn.execute("UPDATE tenant SET status = 'active' WHERE id = $1", stranger.tenant)
    assert await causes(look, f"firm {stranger.tenant}") == []


async def test_a_policy_that_hides_rows_is_named(day: Day, urls: ClusterUrls) -> None:
    look = await day.look()
    assert await causes(look, "") == []
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("CREATE POLICY ops_quarantine ON label AS RESTRICTIVE USING (false)")
        assert await causes(look, "") == []  # shut off by an operator
        await owner.execute("CREATE POLICY nothing_shown ON label AS RESTRICTIVE USING (false)")
        [(cause, says)] = await causes(look, "")
    finally:
        await owner.execute("DROP POLICY IF EXISTS nothing_shown ON label")
        await owner.execute("DROP POLICY IF EXISTS ops_quarantine ON label")
        await owner.close()
    assert (cause, "nothing_shown on label" in says) == ("policy_missing", True)
