"""Back to a moment: a base backup and the log since; what is missing or damaged leaves the cluster as it was."""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.operate.backups import MIGRATIONS, TASKS, House, installation
from zena.kit.clock import SystemClock
from zena.kit.embedded import AlreadyRunning
from zena.kit.embedded.config import ARCHIVING
from zena.kit.exits import Exit
from zena.kit.posture import head_on_disk
from zena.operate.backup import shelf, wal
from zena.operate.backup.base import KEEP, make_base
from zena.operate.backup.refusal import Refused
from zena.operate.backup.rewinding import rewind
from zena.operate.tenants.again import erase_again
from zena.settings import load_backup_keys

pytestmark = pytest.mark.proof

COMMENTS = "SELECT count(*) FROM comment"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with installation(**ARCHIVING) as made:
        yield made


def base(house: House) -> shelf.Kept:
    return asyncio.run(make_base(house.settings, SystemClock().now()))


def back(house: House, to: datetime | None) -> Path:
    head = head_on_disk(MIGRATIONS) or ""
    return rewind(house.settings, SystemClock().now(), to=to, head=head, erase_again=erase_again)[0]


def lay_down(house: House) -> None:
    """Have the server lay down all of its log, and a worker seal it."""
    ring = load_backup_keys(house.settings, make=False)
    wanted = house.ask("SELECT pg_walfile_name(pg_current_wal_lsn())")
    house.ask("SELECT pg_switch_wal()")
    deadline = time.monotonic() + 60
    while not (wal.sealed_folder(house.settings) / f"{wanted}.zwl").exists():
        assert time.monotonic() < deadline, wanted
        wal.seal(house.settings, ring)
        time.sleep(0.05)


def stopped(house: House) -> House:
    """The installation with its server stopped, as `rewind` wants it; its URLs stay known."""
    found = house.settings
    house.server.stop()
    return House(house.folder, house.server, house.stored, house.archive, given=found)


def test_any_moment_since_the_base_backup_comes_back(house: House) -> None:
    tasks, comments = house.ask(TASKS), house.ask(COMMENTS)
    base(house)
    house.ask("UPDATE task SET name = 'kept'", "SELECT 1")
    moment = house.ask("SELECT clock_timestamp()")
    house.ask("DELETE FROM comment", "SELECT 1")
    lay_down(house)
    off = stopped(house)
    try:
        former = back(off, moment)
    finally:
        house.server.start()
    assert house.ask(COMMENTS) == comments > 0
    assert house.ask("SELECT count(*) FROM task WHERE name = 'kept'") == tasks
    assert house.ask("SELECT count(*) FROM session WHERE revoked_at IS NULL") == 0
    assert house.zena("config", "check", "--database").code == 0
    assert (former / "PG_VERSION").is_file()
    assert not (house.folder / ".copy").exists()
    base(house)
    house.ask("DELETE FROM comment", "SELECT 1")
    lay_down(house)
    off = stopped(house)
    try:
        back(off, None)
    finally:
        house.server.start()
    assert house.ask(COMMENTS) == 0, "without a moment, as far as the log goes"


def test_what_is_missing_or_damaged_leaves_all_as_it_was(house: House) -> None:
    base(house)
    for _ in range(2):
        house.ask("UPDATE task SET name = name || '.'", "SELECT 1")
        lay_down(house)
    later = house.ask("SELECT clock_timestamp() + interval '1 day'")
    folder = wal.sealed_folder(house.settings)
    last = max(folder.glob("????????????????????????.zwl"))
    names = house.ask("SELECT md5(string_agg(name, ',' ORDER BY id)) FROM task")
    off = stopped(house)
    identity = (house.folder / "postgres" / "18").stat().st_ino
    try:
        with pytest.raises(Refused, match="recovery ended before"):
            back(off, later)
        with pytest.raises(Refused, match="no base backup before"):
            back(off, SystemClock().now() - timedelta(days=1))
        whole = last.read_bytes()
        last.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(Refused, match=f"{last.name} is damaged"):
            back(off, None)
        last.write_bytes(whole[:-1])
        with pytest.raises(Refused, match="cut off"):
            back(off, None)
        last.write_bytes(whole)
        newest = shelf.kept(house.folder / "backups", shelf.BASES)[0].path
        copy = newest.read_bytes()
        newest.write_bytes(copy[:5000] + bytes([copy[5000] ^ 1]) + copy[5001:])
        with pytest.raises(Refused, match="is damaged"):
            back(off, None)
        newest.write_bytes(copy)
        assert (house.folder / "postgres" / "18").stat().st_ino == identity
        assert not (house.folder / ".copy").exists()
    finally:
        house.server.start()
    assert house.ask("SELECT md5(string_agg(name, ',' ORDER BY id)) FROM task") == names


def test_it_is_refused_while_zena_runs(house: House) -> None:
    with pytest.raises(AlreadyRunning):
        back(house, None)
    ran = house.zena("backup", "rewind", "--yes")
    assert (ran.code, len(ran.err.splitlines())) == (Exit.CONFIG, 1)
    assert house.zena("backup", "rewind").code == Exit.USAGE


def test_two_base_backups_are_kept_and_the_log_since_the_older(house: House) -> None:
    for _ in range(KEEP + 1):
        base(house)
        lay_down(house)
    kept = shelf.kept(house.settings.backups_path, shelf.BASES)
    assert len(kept) == KEEP
    sealed = sorted(path.name[8:24] for path in wal.sealed_folder(house.settings).glob("????????????????????????.zwl"))
    assert 2 <= len(sealed) <= 8
    rows = house.zena("backup", "list")
    assert kept[0].path.name in rows.out
    assert "log        kept up to" in house.zena("status").out
    for command in (("verify",), ("restore", "--yes")):
        ran = house.zena("backup", *command, kept[0].path.name)
        assert (ran.code, "is a base backup" in ran.err) == (Exit.DATA, True)


def test_a_firm_that_was_deleted_after_that_moment_is_erased_again(house: House) -> None:
    base(house)
    moment, slug = house.ask("SELECT clock_timestamp()"), house.ask("SELECT slug FROM tenant")
    ran = house.zena("tenant", "delete", slug, "--confirm", slug, "--yes", "--no-export")
    assert ran.code == 0, ran.err
    lay_down(house)
    stopped(house)
    try:
        ran = house.zena("backup", "rewind", "--to", f"{moment:%Y-%m-%dT%H:%M:%S}", "--yes")
    finally:
        house.server.start()
    assert ran.code == 0, ran.err
    assert "were erased from it again" in ran.out
    assert house.ask("SELECT count(*) FROM tenant") == 0
    assert house.ask(TASKS) == 0


def test_a_server_that_keeps_no_log_says_so() -> None:
    with installation() as plain:
        ran = plain.zena("backup", "base")
    assert (ran.code, ran.out) == (Exit.CONFIG, "")
    assert "ZENA_BACKUP_WAL=true" in ran.err
