"""J05: keys are rotated, what they sealed is sealed anew, and an old key goes, with nobody noticing."""

import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.accounts.browser import Browser, Person, as_ops, enrol, make_person
from tests.cli.run import ROOT, variables
from tests.factories import Firm
from tests.operate.commands import Terminal
from zena.accounts.facade import reseal, sealed_under
from zena.accounts.throttling import code_attempts
from zena.kit.db import dialled
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.operate.maintenance.start import note_start
from zena.settings import LiveRing, Role, Settings, load_keys, new_line, retire_key, rotate_ring

DIES = """
import os, signal, sys
from pathlib import Path
from zena.settings import ring_file

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(ring_file, sys.argv[2], killed)
ring_file.rewritten(Path(sys.argv[1]), lambda present: "new line\\n" + present)
"""
LEFT = """
SELECT id FROM user_account WHERE position($1::bytea IN totp_secret) = 1
 UNION SELECT user_id FROM recovery_code WHERE position($1::bytea IN code_hash) = 1
"""
ADDS = """
import sys
from pathlib import Path
from zena.settings import new_line, rotate_ring
for _ in range(20):
    rotate_ring(Path(sys.argv[1]), new_line())
"""


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A data directory with a ring of one key."""
    made = Settings(env="test", data_dir=tmp_path)
    load_keys(made)
    return made


def rotate(state: State) -> str:
    """Put a new key first, as the command does; return the former one's id."""
    former = state.ring().current.id
    rotate_ring(state.settings.keys_path, new_line())
    assert state.ring().current.id != former
    return former


async def protected(state: State, app: object, firm: Firm) -> tuple[Person, list[str]]:
    person = await make_person(state, firm)
    async with Browser(app) as browser:
        await browser.sign_in(person)
        return person, await enrol(state, browser, person)


async def enter(app: object, person: Person, code: str) -> int:
    async with Browser(app) as browser:
        await browser.sign_in(person)
        return (await browser.api("POST", "auth/mfa", {"code": code})).status_code


@pytest.fixture
def app(http: httpx.AsyncClient) -> object:
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


async def test_J05_all_goes_on_over_rotation_resealing_and_the_old_keys_end(
    state: State, app: object, firm: Firm
) -> None:
    person, codes = await protected(state, app, firm)
    cursor = state.cursors.seal("a:list", ("x",))
    async with Browser(app) as browser:
        await browser.sign_in(person)
        await browser.api("POST", "auth/mfa", {"code": codes[0]})
        former = rotate(state)
        assert await browser.is_signed_in()
        assert state.cursors.open("a:list", cursor) == ("x",)
        assert state.cursors.open("a:list", state.cursors.seal("a:list", ("y",))) == ("y",)
        assert await enter(app, person, codes[1]) == httpx.codes.OK
        assert await enter(app, person, person.code(state)) == httpx.codes.OK
        async with dialled(state.settings.dsn(Role.OPS), "test") as ops:
            before = await sealed_under(ops)
            done = await reseal(ops, state.ring())
            left = {row["id"] for row in await ops.fetch(LEFT, former.encode() + b"\0")}
            assert left <= done.unreadable - {person.user}, "of others, what other tests have damaged"
            assert (await reseal(ops, state.ring())).seeds == 0  # twice is once
        assert (done.seeds >= 1, done.codes >= 8) == (True, True)
        assert before[former]["recovery codes"] >= 8
        retire_key(state.settings.keys_path, former)
        assert former not in state.ring().keys
        assert await browser.is_signed_in()
        assert await enter(app, person, codes[2]) == httpx.codes.OK
        assert await enter(app, person, codes[2]) == httpx.codes.UNAUTHORIZED
        assert await enter(app, person, person.code(state)) == httpx.codes.OK


async def test_a_code_of_the_first_release_works_over_a_rotation(state: State, app: object, firm: Firm) -> None:
    person, _ = await protected(state, app, firm)
    codes = ["abcdefghjkmnpqrs", "bcdefghjkmnpqrst"]
    for code in codes:
        bare = hmac.digest(state.ring().current.derive("recovery"), person.user.bytes + code.encode(), hashlib.sha256)
        await as_ops(state, "INSERT INTO recovery_code (user_id, code_hash) VALUES (:u, :h)", u=person.user, h=bare)
    former = rotate(state)
    assert await enter(app, person, codes[0]) == httpx.codes.OK
    async with dialled(state.settings.dsn(Role.OPS), "test") as ops:
        assert (await sealed_under(ops))[""]["recovery codes"] == 1
        await reseal(ops, state.ring())
        assert "recovery codes" not in (await sealed_under(ops)).get("", {})
    retire_key(state.settings.keys_path, former)
    assert await enter(app, person, codes[1]) == httpx.codes.OK


async def test_a_code_is_used_while_it_is_sealed_anew(state: State, app: object, firm: Firm) -> None:
    person, codes = await protected(state, app, firm)
    async with dialled(state.settings.dsn(Role.OPS), "test") as ops:

        async def going() -> None:
            for _ in range(15):
                rotate(state)
                await reseal(ops, state.ring())

        sealing = asyncio.create_task(going())
        assert [await enter(app, person, code) for code in codes[:4]] == [httpx.codes.OK] * 4
        await sealing
        assert (await ops.fetchval("SELECT count(*) FROM recovery_code WHERE user_id = $1", person.user)) == 6


async def test_what_opens_under_no_key_is_told_and_left(state: State, app: object, firm: Firm) -> None:
    person, codes = await protected(state, app, firm)
    broken = "UPDATE recovery_code SET code_hash = 'gone-1'::bytea || '\\x00'::bytea || code_hash WHERE user_id = :u"
    await as_ops(state, broken, u=person.user)
    async with dialled(state.settings.dsn(Role.OPS), "test") as ops:
        assert person.user in (await reseal(ops, state.ring())).unreadable
        assert (await sealed_under(ops))["gone-1"] == {"recovery codes": 10}
    assert await enter(app, person, codes[0]) == httpx.codes.UNAUTHORIZED
    await as_ops(state, "DELETE FROM recovery_code WHERE user_id = :u", u=person.user)


async def test_a_start_with_a_lost_ring_says_so(
    state: State, app: object, firm: Firm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await protected(state, app, firm)
    await note_start(state.settings.model_copy(update={"key_file": tmp_path / "made-anew"}))
    assert "sealed under keys that are gone" in caplog.text
    assert state.ring().current.id in str(caplog.records[-1].__dict__)


async def test_who_waits_after_wrong_codes_goes_on_waiting(state: State, firm: Firm) -> None:
    person = await make_person(state, firm)
    before = list(code_attempts(state, str(person.user)).keys)
    rotate(state)
    assert list(code_attempts(state, str(person.user)).keys) == before


@pytest.mark.parametrize("at", ["_draft", "_settle"])
def test_killed_in_the_middle_the_ring_is_the_old_or_the_new_one(home: Settings, at: str) -> None:
    before = home.keys_path.read_text()
    killed = subprocess.run([sys.executable, "-c", DIES, home.keys_path, at], env=variables(), cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert home.keys_path.read_text() in {before, "new line\n" + before}
    home.keys_path.write_text(before)
    (home.data_dir / ".secret.key.1a2b3c4d").write_text("a key of a killed process")
    rotate_ring(home.keys_path, new_line())
    assert len(load_keys(home).keys) == 2
    assert [path.name for path in home.data_dir.glob(".secret*")] == []


def test_many_at_once_lose_no_key(home: Settings) -> None:
    adding = [subprocess.Popen([sys.executable, "-c", ADDS, home.keys_path], env=variables(), cwd=ROOT) for _ in "123"]
    assert [one.wait(60) for one in adding] == [0, 0, 0]
    assert len(load_keys(home).keys) == 61
    assert home.keys_path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link_and_the_owner_the_owner(home: Settings, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    home.keys_path.rename(place / "ring")
    home.keys_path.symlink_to(place / "ring")
    if os.geteuid() == 0:
        os.chown(place / "ring", 4711, 4712)
    owner = (place / "ring").stat().st_uid
    rotate_ring(home.keys_path, new_line())
    assert home.keys_path.is_symlink()
    assert ((place / "ring").stat().st_uid, len(load_keys(home).keys)) == (owner, 2)


def test_a_process_keeps_the_keys_it_has_when_the_file_is_gone_or_broken(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveRing(home)
    text, key = home.keys_path.read_text(), live().current
    for spoil in (lambda: home.keys_path.write_text("nonsense\n"), home.keys_path.unlink):
        spoil()
        assert live().current == key
    assert not home.keys_path.exists(), "a process that runs makes no ring of its own"
    assert len([line for line in caplog.messages if "the keys in force stay" in line]) == 2
    home.keys_path.write_text(new_line() + text)
    home.keys_path.chmod(0o600)
    assert live().oldest == key != live().current


@pytest.mark.proof
async def test_the_commands(urls: ClusterUrls, tmp_path: Path, state: State) -> None:
    for left in ("UPDATE user_account SET totp_secret = NULL", "DELETE FROM recovery_code"):
        await as_ops(state, left)  # what other tests sealed under rings that are gone
    zena = Terminal(urls, tmp_path)
    ran = await zena("keys", "rotate")
    assert (ran.code, "the first start makes it" in ran.err) == (Exit.DATA, True)
    home = Settings(env="test", data_dir=tmp_path)
    first = load_keys(home).current.id
    made = json.loads((await zena("keys", "rotate", "--reencrypt", "--json")).out)
    assert (made["ring"], load_keys(home).current.id) == ("secret", made["key"])
    listed = json.loads((await zena("keys", "list", "--json")).out)
    assert {(row["key"], row["state"]) for row in listed} >= {(made["key"], "current"), (first, "old")}
    ran = await zena("keys", "retire", first, "--yes")
    assert (ran.code, "was changed just now" in ran.err) == (Exit.RETRY, True)
    os.utime(home.keys_path, (0, 0))
    for key, code, says in ((made["key"], Exit.DATA, "is the current key"), ("x", Exit.DATA, "there is no key x")):
        ran = await zena("keys", "retire", key, "--yes")
        assert (ran.code, says in ran.err) == (code, True)
    ran = await zena("keys", "retire", first)
    assert (ran.code, "add --yes" in ran.err) == (Exit.USAGE, True)
    ran = await zena("keys", "retire", first, "--yes")
    assert (ran.code, list(load_keys(home).keys)) == (Exit.OK, [made["key"]])
    told = (await zena("changes", "--kind", "setting")).out
    assert told.index("key retired") < told.index("key rotated")
    assert f"key: {first} -> {made['key']}" in told


@pytest.mark.proof
async def test_a_key_that_seals_something_is_not_retired(
    urls: ClusterUrls, tmp_path: Path, state: State, app: object, firm: Firm
) -> None:
    await protected(state, app, firm)
    home = Settings(env="test", data_dir=tmp_path, key_file=state.settings.keys_path)
    former = rotate(state)
    os.utime(home.keys_path, (0, 0))
    zena = Terminal(urls, tmp_path)
    ran = await zena("keys", "retire", former, "--yes", ZENA_KEY_FILE=home.keys_path)
    assert (ran.code, f"are sealed under {former}" in ran.err) == (Exit.DATA, True)
    assert former in state.ring().keys


@pytest.mark.proof
async def test_a_ring_that_is_kept_elsewhere_says_what_to_do(urls: ClusterUrls, tmp_path: Path) -> None:
    zena = Terminal(urls, tmp_path)
    line = (await zena("keys", "rotate", "--print")).out
    ring = tmp_path / ("k" * 250)  # no name is left for a draft beside it: even root cannot change it
    ring.write_text(line)
    ring.chmod(0o600)
    assert len(load_keys(Settings(env="test", data_dir=tmp_path, key_file=ring)).current.secret) == 32
    ran = await zena("keys", "rotate", ZENA_KEY_FILE=ring)
    assert (ran.code, "`zena keys rotate --print`" in ran.err) == (Exit.CONFIG, True)
    assert (ring.read_text(), line.split()[0] in (await zena("changes", "--kind", "setting")).out) == (line, False)
