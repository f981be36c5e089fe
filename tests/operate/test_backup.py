"""F-16, F-19: backup, wipe, restore, verify; beside people at work, twice at once, and killed in the middle."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest

from tests.cli.run import command, variables
from tests.kit.pg import ask
from tests.operate.backups import DATABASES, MIGRATIONS, TASKS, House, installation, made
from zena.cli.schema import upgraded
from zena.kit.clock import SystemClock
from zena.kit.embedded.attach import with_urls
from zena.kit.exits import Exit
from zena.kit.queue import JobWork
from zena.main import build_state
from zena.operate.backup import shelf
from zena.operate.backup.proving import CHECKED
from zena.operate.backup.refusal import Refused
from zena.operate.jobs import back_up

pytestmark = pytest.mark.proof  # real processes and servers, many times over

DICE = random.Random(5)  # noqa: S311 - when to kill, not a secret


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with installation() as built:
        yield built


def test_backup_wipe_restore_verify(house: House) -> None:
    tasks, drawing = house.ask(TASKS), house.file.read_bytes()
    keys = (house.folder / "secret.key").read_text()
    archive = made(house.zena("backup", "create", "--json"))
    house.server.stop()
    for name in ("postgres", "secrets", "files"):
        shutil.rmtree(house.folder / name)
    (house.folder / "secret.key").unlink()
    try:
        ran = house.zena("backup", "restore", archive.name, "--yes")
    finally:
        house.server.start()
    assert ran.code == 0, ran.err
    assert house.ask(TASKS) == tasks > 100
    assert house.file.read_bytes() == drawing
    assert (house.folder / "secret.key").read_text() == keys
    assert house.ask("SELECT count(*) FROM session WHERE revoked_at IS NULL") == 0
    assert ask(house.server.urls().app, "SELECT gate.is_empty()") is False
    assert house.zena("config", "check", "--database").code == 0
    assert house.zena("migrate").out.startswith("nothing to do")
    again = made(house.zena("backup", "create", "--json"))
    verified = house.zena("backup", "verify", again.name, "--json")
    assert (verified.code, json.loads(verified.out)["files"]) == (0, 1)
    assert house.leftovers() == []


async def test_a_restore_while_people_work_takes_the_place_of_the_former_database(house: House) -> None:
    comments = await asyncio.to_thread(house.ask, "SELECT count(*) FROM comment")
    await asyncio.to_thread(house.ask, "DELETE FROM comment", "SELECT 1")
    connection = await asyncpg.connect(house.server.urls().app)
    done = await asyncio.to_thread(house.restore, house.archive)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("SELECT 1")
    assert await asyncio.to_thread(house.ask, "SELECT count(*) FROM comment") == comments > 0
    assert done.former is not None
    former = house.server.urls(done.former).superuser
    assert await asyncio.to_thread(ask, former, "SELECT count(*) FROM comment") == 0
    names = await asyncio.to_thread(house.ask, DATABASES)
    assert [name for name in names if name.startswith("zena_")] == [done.former], "one former database is kept"


def test_a_restore_is_taken_back_and_again(house: House) -> None:
    house.restore(house.archive)
    house.ask("UPDATE task SET name = 'since'", "SELECT 1")
    for since in (0, house.ask(TASKS)):
        ran = house.zena("backup", "undo", "--yes")
        assert ran.code == 0, ran.err
        assert house.ask("SELECT count(*) FROM task WHERE name = 'since'") == since
    assert house.zena("backup", "undo").code == Exit.USAGE
    house.restore(house.archive)


def test_a_damaged_file_comes_back_and_a_newer_one_stays(house: House) -> None:
    right = house.file.read_bytes()
    newer = house.file.with_name("0" * 32)
    newer.write_bytes(b"uploaded since")
    house.file.write_bytes(b"bit rot")
    (house.folder / "secret.key").write_text((house.folder / "secret.key").read_text())
    assert house.restore(house.archive).files == 1
    assert (house.file.read_bytes(), newer.read_bytes()) == (right, b"uploaded since")
    newer.unlink()


def test_two_restores_in_one_second_do_not_meet(house: House) -> None:
    at = SystemClock().now().replace(microsecond=0)
    former = [house.restore(house.archive, at + timedelta(milliseconds=by)).former for by in (0, 1)]
    assert None not in former
    assert former[0] != former[1]


def test_without_yes_it_is_told_what_would_happen(house: House) -> None:
    before = house.standing()
    ran = house.zena("backup", "restore", "latest")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert f"{house.ask(TASKS)} rows of task" in ran.err
    assert "add --yes" in ran.err
    assert house.standing() == before
    assert house.zena("backup", "restore", "nowhere.zbk").code == Exit.DATA


def test_two_at_once_do_not_meet(house: House) -> None:
    with shelf.at_work(house.settings.backups_path):
        ran = house.zena("backup", "create")
    assert (ran.code, ran.out) == (Exit.RETRY, "")
    assert f"process {os.getpid()} is at work" in ran.err


def test_the_oldest_make_room_and_strange_files_stay(house: House) -> None:
    strange = house.settings.backups_path / "zena-notes.zbk"
    strange.write_text("mine")
    before = shelf.kept(house.settings.backups_path)
    done = house.create(backup_keep=2)
    kept = shelf.kept(house.settings.backups_path)
    assert [one.path for one in kept] == [done.kept.path, before[0].path]
    assert strange.exists()
    strange.unlink()
    rows = json.loads(house.zena("backup", "list", "--json").out)
    assert [row["archive"] for row in rows] == [one.path.name for one in kept]
    assert rows[0]["rows"] == done.manifest.rows > 1000


def test_a_role_that_sees_nothing_makes_no_backup(house: House) -> None:
    before = shelf.kept(house.settings.backups_path)
    house.ask("ALTER ROLE zena_backup NOBYPASSRLS", "SELECT 1")
    try:
        with pytest.raises(Refused, match="row-level security") as caught:
            house.create()
    finally:
        house.ask("ALTER ROLE zena_backup BYPASSRLS", "SELECT 1")
    assert caught.value.code == Exit.PERMISSION
    assert shelf.kept(house.settings.backups_path) == before


async def test_what_a_killed_command_left_is_no_hindrance(house: House) -> None:
    newest = shelf.kept(house.settings.backups_path)[0].path
    left = await asyncio.to_thread(house.server.create_database, CHECKED)
    connection = await asyncpg.connect(left.ops)
    await asyncio.to_thread(house.verify, newest)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("SELECT 1")
    assert await asyncio.to_thread(house.leftovers) == []


async def test_a_superuser_who_looks_on_is_not_thrown_out(house: House) -> None:
    newest = shelf.kept(house.settings.backups_path)[0].path
    before = await asyncio.to_thread(house.standing)
    connection = await asyncpg.connect(house.server.urls().superuser)
    with pytest.raises(Refused, match="a superuser's session") as caught:
        await asyncio.to_thread(house.restore, newest)
    assert caught.value.code == Exit.RETRY
    assert await connection.fetchval("SELECT true")
    await connection.close()
    assert await asyncio.to_thread(house.standing) == before


def test_where_no_database_may_be_made_the_advice_is_given(house: House) -> None:
    house.ask("ALTER ROLE zena_owner NOCREATEDB", "SELECT 1")
    try:
        with pytest.raises(Refused, match="ALTER ROLE zena_owner CREATEDB"):
            house.verify(shelf.kept(house.settings.backups_path)[0].path)
    finally:
        house.ask("ALTER ROLE zena_owner CREATEDB", "SELECT 1")


async def test_the_nightly_job_makes_one_and_status_shows_its_age(house: House) -> None:
    state = build_state(house.settings, worker=True)
    assert "operate.backup" in state.registry.crons
    before = shelf.kept(house.settings.backups_path)[0]
    await back_up(JobWork(state, 1, "operate.backup", None, 1, 5, asyncio.Semaphore()))
    newest = shelf.kept(house.settings.backups_path)[0]
    assert newest.at > before.at
    shown = await asyncio.to_thread(house.zena, "status", "--json")
    told = json.loads(shown.out)["backup"]
    assert (told["archive"], told["age_seconds"] < 600) == (newest.path.name, True)
    last = "SELECT after ->> 'archive' FROM ops.change WHERE kind = 'backup' ORDER BY id DESC LIMIT 1"
    assert await asyncio.to_thread(house.ask, last) == newest.path.name


async def test_where_nobody_is_yet_the_nightly_job_makes_none(house: House) -> None:
    before = shelf.kept(house.settings.backups_path)
    empty = with_urls(house.settings, await asyncio.to_thread(house.server.create_database, "nobody"))
    state = build_state(empty, worker=True)
    work = JobWork(state, 1, "operate.backup", None, 1, 5, asyncio.Semaphore())
    await back_up(work)
    await upgraded(empty, MIGRATIONS)
    await back_up(work)
    assert shelf.kept(house.settings.backups_path) == before


def test_F19_a_command_killed_anywhere_leaves_the_old_or_the_new(house: House) -> None:
    tasks, newest = house.ask(TASKS), shelf.kept(house.settings.backups_path)[0].path.name
    killed = 0
    for arguments in [("create",), ("restore", newest, "--yes")] * 4:
        process = subprocess.Popen(
            command("backup", *arguments, module="zena"), env=variables(ZENA_DATA_DIR=house.folder), cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(0.3 + DICE.random() * 1.2)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert house.ask(TASKS) == tasks
        for kept in shelf.kept(house.settings.backups_path)[:1]:
            house.verify(kept.path)
    assert killed > 2, "the kills hit nothing"
    assert house.zena("backup", "create").code == 0
    assert house.zena("backup", "restore", newest, "--yes").code == 0
    assert house.leftovers() == []
