"""Why somebody cannot sign in, why a job does not run: the first broken link is the one that was broken."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.cli.run import zena
from tests.factories import Firm
from tests.factories.firms import Caller
from tests.operate.commands import Terminal
from zena.accounts.actions.standing import activate, deactivate, unlock
from zena.accounts.facade import chain, person_at
from zena.accounts.permissions import Role
from zena.accounts.throttling import code_attempts, sign_in_attempts
from zena.accounts.vault import Vault
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.ids import new_id
from zena.kit.queue import admin
from zena.kit.queue.enqueue import insert_jobs
from zena.kit.queue.failures import hold
from zena.kit.state import State
from zena.operate.queue.reasons import reasons
from zena.settings import load_keys

HASH = "$argon2id$v=19$m=19456,t=2,p=1$6yAAhLv13jD4aPvVprithA$Xg4Ks2qKP28NJ71qdXmlawgl4wNi8L9vemc7WX/lEMY"
SET = "UPDATE user_account SET {} WHERE id = $1"


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(urls.ops)
    await connection.execute("DELETE FROM queue.pgqueuer; DELETE FROM queue.paused")
    yield connection
    await connection.close()


@pytest.fixture
async def person(firm: Firm, ops: Any) -> Caller:
    """A member whose way in is whole."""
    caller = firm.people[Role.MEMBER]
    await ops.execute(SET.format("password_hash = $2"), caller.user, HASH)
    return caller


async def broken(state: State, ops: Any, email: str, *addresses: str) -> list[str]:
    found = await person_at(ops, state.secret, email, addresses)
    return [link.name for link in chain(found, load_keys(state.settings)) if not link.holds]


async def test_a_whole_chain_and_nobody(state: State, ops: Any, person: Caller) -> None:
    assert await broken(state, ops, person.email) == []
    assert await broken(state, ops, "nobody@nowhere.example") == ["exists"]


@pytest.mark.parametrize(
    ("change", "value", "link"),
    [
        ("password_hash = $2", None, "password"),
        ("password_hash = $2", "plain", "password"),
        ("is_active = $2", False, "active"),
    ],
)
async def test_a_broken_account_is_named(
    change: str, value: Any, link: str, state: State, ops: Any, person: Caller
) -> None:
    await ops.execute(SET.format(change), person.user, value)
    assert await broken(state, ops, person.email) == [link]


async def test_a_second_factor_whose_key_is_gone_is_named(state: State, ops: Any, person: Caller) -> None:
    change = SET.format("totp_confirmed_at = now(), totp_secret = $2")
    await ops.execute(change, person.user, Vault(load_keys(state.settings)).seal(person.user, b"seed"))
    assert await broken(state, ops, person.email) == []
    await ops.execute(change, person.user, Vault(load_keys(state.settings)).seal(new_id(), b"seed"))
    assert await broken(state, ops, person.email) == ["second factor"]


async def test_firms_left_or_suspended_are_named(state: State, ops: Any, person: Caller, firm: Firm) -> None:
    await ops.execute("UPDATE tenant SET status = 'suspended' WHERE id = $1", firm.tenant)
    assert await broken(state, ops, person.email) == ["firm is served"]
    await ops.execute("UPDATE membership SET ended_at = now() WHERE user_id = $1", person.user)
    assert await broken(state, ops, person.email) == ["membership"]


async def test_waits_are_found_and_undone_for_this_person_only(state: State, ops: Any, person: Caller) -> None:
    address = "203.0.113.77"
    for _ in range(state.settings.rate_sign_in * 5 + 2):
        await sign_in_attempts(state, person.email, address).failed(state)
    for _ in range(7):
        await code_attempts(state, str(person.user)).failed(state)
    found = await person_at(ops, state.secret, person.email, [address])
    assert found is not None
    assert set(found.waits) == {f"this account from {address}", f"everybody from {address}", "second factor"}
    assert await broken(state, ops, person.email, address) == ["waits after wrong attempts"]
    unknown = await person_at(ops, state.secret, person.email)
    assert unknown is not None
    assert await unlock(ops, unknown, state.secret, []) == 2  # the code's and the account's
    await ops.execute("UPDATE session SET ip = $2 WHERE user_id = $1", person.user, address)
    seen = await person_at(ops, state.secret, person.email)
    assert seen is not None
    assert await unlock(ops, seen, state.secret, []) == 1
    left = await person_at(ops, state.secret, person.email)
    assert left is not None
    assert set(left.waits) == {f"everybody from {address}"}  # is another's too, and wants to be named
    assert await unlock(ops, left, state.secret, [address]) == 1
    assert await broken(state, ops, person.email, address) == []


async def test_deactivating_ends_every_session_and_activating_revives_none(
    state: State, ops: Any, firm: Firm, person: Caller, http: httpx.AsyncClient
) -> None:
    client = firm.client(http, "member")
    assert (await client.get("/api/v1/me")).status_code == 200
    found = await person_at(ops, state.secret, person.email)
    assert found is not None
    assert await deactivate(ops, found)
    assert not await deactivate(ops, found)
    assert (await client.get("/api/v1/me")).status_code == 401
    assert await activate(ops, found)
    assert (await client.get("/api/v1/me")).status_code == 401
    assert (await firm.client(http).get("/api/v1/me")).status_code == 200


async def test_the_commands_show_nothing_secret(state: State, urls: ClusterUrls, ops: Any, firm: Firm) -> None:
    terminal, owner = Terminal(urls, state.settings.data_dir), firm.people[Role.OWNER]
    await ops.execute(SET.format("password_hash = $2, totp_secret = 'seed'"), owner.user, HASH)
    for words in (("user", "show"), ("why", "login")):
        ran = await terminal(*words, owner.email, "--json")
        assert ran.code == Exit.OK
        assert not any(secret in ran.out for secret in (HASH[:40], "seed", owner.cookie))
    by_id = await terminal("user", "show", str(owner.user), "--json")  # what log lines say of a person
    assert json.loads(by_id.out)["email"] == owner.email
    assert (await terminal("user", "show", str(new_id()))).code == Exit.DATA
    refused = await terminal("user", "deactivate", owner.email)
    assert (refused.code, f"{firm.slug} has no other active owner" in refused.err) == (Exit.USAGE, True)
    assert await ops.fetchval("SELECT is_active FROM user_account WHERE id = $1", owner.user)
    assert (await terminal("user", "deactivate", owner.email, "--yes")).code == Exit.OK
    told = await terminal("why", "login", owner.email, "--json")
    assert (told.code, json.loads(told.out)["broken"]) == (Exit.FINDING, "active")
    assert (await terminal("user", "activate", "nobody@nowhere.example")).code == Exit.DATA


async def test_why_a_job_waits(state: State, ops: Any) -> None:
    async def first_broken(number: int) -> str | None:
        found = await reasons(ops, number, state.clock.now())
        assert found is not None
        return next((name for name, holds, _ in found if not holds), None)

    async with ops.transaction():
        [job] = await insert_jobs(ops, "test.why", [None])
        [later] = await insert_jobs(ops, "test.why", [None], after=timedelta(hours=1))
    assert job is not None
    assert later is not None
    assert await first_broken(later) == "is due"
    await admin.pause(ops, "test.why", "x")
    assert await first_broken(job) == "its kind is not paused"
    await admin.resume(ops, "test.why")
    await ops.execute("UPDATE queue.pgqueuer SET status = 'picked', heartbeat = now() WHERE id = $1", job)
    assert await first_broken(job) is None
    await ops.execute("UPDATE queue.pgqueuer SET heartbeat = now() - interval '1 hour' WHERE id = $1", job)
    assert await first_broken(job) == "runs"
    assert await hold(ops, "for a look", ids=[later]) == 1
    assert await first_broken(later) == "not held"
    assert await reasons(ops, 9_999_999_999, state.clock.now()) is None
    await ops.execute("DELETE FROM queue.pgqueuer")
    assert await first_broken(later) is None


@pytest.mark.parametrize("words", [("why", "login"), ("user", "unlock")])
def test_without_a_database_nothing_is_made(words: tuple[str, str], tmp_path: Path) -> None:
    ran = zena(*words, "a@b.example", module="zena", ZENA_DATA_DIR=tmp_path)
    assert (ran.code, len(ran.err.splitlines())) == (Exit.UNAVAILABLE, 1)
    assert list(tmp_path.iterdir()) == []


async def test_what_is_no_job_is_told(urls: ClusterUrls, tmp_path: Path) -> None:
    terminal = Terminal(urls, tmp_path)
    for words, code in ((("job", "9999999999"), Exit.DATA), (("login", "x"), Exit.DATA)):
        ran = await terminal("why", *words)
        assert (ran.code, len(ran.err.splitlines())) == (code, 1)
