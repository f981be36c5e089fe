"""Remedies for a policy that hides rows, a full cache, a folder of logs: each against the real fault."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from tests.factories import Firm
from tests.kit.redis_server import RedisServer
from tests.operate.remedied import Ward, session, warded
from tests.operate.watched import own_day
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.migrations.fences import TENANT
from zena.operate.remedies.contract import Refused
from zena.operate.remedies.fences import RESTORE_FENCE
from zena.operate.remedies.logs import MEND_LOGS
from zena.operate.remedies.runner import Aim, NotNeeded, planned, taken_back
from zena.operate.remedies.runs import one
from zena.operate.remedies.store import EVICT_OLD
from zena.operate.symptoms.catalogue import BY_ID

AT = datetime(2031, 4, 7, 6, 0, tzinfo=UTC)
MADE = f"""
SET ROLE zena_owner; DROP POLICY IF EXISTS hides ON label; DROP POLICY IF EXISTS tenant ON label;
CREATE POLICY tenant ON label USING (tenant_id = {TENANT}) WITH CHECK (tenant_id = {TENANT}); RESET ROLE
"""


@pytest.fixture
async def ward(state: State, urls: ClusterUrls) -> AsyncIterator[Ward]:
    async with own_day(state, urls.ops, AT) as day, warded(day) as made:
        yield made


@pytest.mark.parametrize(
    "broken", ["CREATE POLICY hides ON label AS RESTRICTIVE USING (false)", "DROP POLICY tenant ON label"]
)
async def test_rows_that_a_policy_hid_are_seen_again(ward: Ward, urls: ClusterUrls, firm: Firm, broken: str) -> None:
    label = "INSERT INTO label (tenant_id, id, name, name_key, hue) VALUES ($1, $2, $3, $3, 1)"
    await ward.day.conn.execute(label, firm.tenant, new_id(), "Survey")
    await ward.day.conn.execute(f"SET ROLE zena_owner; {broken}; RESET ROLE")
    try:
        aim = Aim(incident=await ward.incident(BY_ID["T1"]))
        async with session(urls.app, "zena-test") as app:
            await app.execute("SELECT set_config('app.tenant', $1, false)", str(firm.tenant))
            assert await app.fetchval("SELECT count(*) FROM label") == 0
            assert (await ward.heal(RESTORE_FENCE, aim)).verdict == "fixed"
            assert await app.fetchval("SELECT count(*) FROM label") == 1
        with pytest.raises(NotNeeded):
            await planned(ward.hand, RESTORE_FENCE, aim)
    finally:
        await ward.day.conn.execute(MADE)


async def test_a_cache_that_is_full_lets_go_of_what_is_old_and_the_policy_is_set_back(
    ward: Ward, tmp_path: Path
) -> None:
    with RedisServer(tmp_path) as url:
        ward.changed["redis_url"] = SecretStr(url)
        async with Redis.from_url(url, decode_responses=True) as redis:
            for number in range(300):
                await redis.set(f"old:{number}", "x" * 10_000)
            await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"])
            with pytest.raises(OutOfMemoryError):
                await redis.set("new", "x" * 10_000)
            outcome = await ward.heal(EVICT_OLD)
            assert outcome.verdict == "fixed"
            assert await redis.set("new", "x" * 10_000)
            assert await redis.dbsize() < 301, "something old went"
            with pytest.raises(NotNeeded):
                await planned(ward.hand, EVICT_OLD, Aim())
            await taken_back(ward.hand, EVICT_OLD, await one(ward.day.conn, outcome.run) or {}, "tried")
            assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


class Logs:
    """A folder of logs, and what a process of this machine says of it in its sign of life."""

    def __init__(self, ward: Ward, folder: Path) -> None:
        self.ward, self.folder = ward, folder
        ward.changed["log_dir"] = folder

    async def say(self, trouble: str | None, host: str = "") -> Aim:
        """Let the process tell of its trouble; return the aim at it."""
        host, conn = host or socket.gethostname(), self.ward.day.conn
        await conn.execute("DELETE FROM ops.heartbeat WHERE pid = -7")
        facts = {"log_trouble": trouble} if trouble else {}
        await conn.execute(
            "INSERT INTO ops.heartbeat (process, role, host, pid, release, started_at, seen_at, facts)"
            " VALUES (gen_random_uuid(), 'web', $1, -7, '1', now(), now(), $2)",
            host,
            facts,
        )
        return Aim(scope=f"web {host} pid -7")


@pytest.fixture
async def logs(ward: Ward, tmp_path: Path) -> AsyncIterator[Logs]:
    yield Logs(ward, tmp_path / "logs")
    await ward.day.conn.execute("DELETE FROM ops.heartbeat WHERE pid = -7")


async def test_what_lies_where_the_logs_belong_is_moved_aside_and_kept(ward: Ward, logs: Logs) -> None:
    logs.folder.write_text("somebody's")
    aim = await logs.say("Not a directory")
    what = await planned(ward.hand, MEND_LOGS, aim)
    assert what.plan.acts_on["todo"] == ["aside", "make"]
    assert logs.folder.read_text() == "somebody's", "a plan does nothing"
    outcome = await ward.heal(MEND_LOGS, aim)
    assert outcome.verdict == "improved", "the process has not said yet that it writes again"
    assert (logs.folder.is_dir(), logs.folder.stat().st_mode & 0o777) == (True, 0o750)
    assert logs.folder.with_name("logs.aside-1").read_text() == "somebody's"


async def test_a_folder_that_was_closed_or_opened_to_all_gets_its_mode_again(ward: Ward, logs: Logs) -> None:
    logs.folder.mkdir(0o500)
    aim = await logs.say("Permission denied")
    await ward.heal(MEND_LOGS, aim)
    assert logs.folder.stat().st_mode & 0o777 == 0o750
    with pytest.raises(Refused, match="is as it should be"):
        await planned(ward.hand, MEND_LOGS, await logs.say("Permission denied"))


async def test_a_disk_that_is_not_mounted_and_another_machine_are_left_alone(ward: Ward, logs: Logs) -> None:
    logs.folder.symlink_to(logs.folder.with_name("away") / "logs")
    aim = await logs.say("Not a directory")
    with pytest.raises(Refused, match="is its disk mounted"):
        await planned(ward.hand, MEND_LOGS, aim)
    with pytest.raises(Refused, match="the files are on elsewhere: apply it there"):
        await planned(ward.hand, MEND_LOGS, await logs.say("Not a directory", "elsewhere"))
