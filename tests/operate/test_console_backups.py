"""The console's page of backups: what lies in the directory, whether it counts, what would be lost; told from rows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.factories import Firm
from tests.operate.console import forget, make_operator
from zena.kit.db import set_json_codecs
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.backup import records, shelf
from zena.operate.backup.archive import Fences, Manifest, Table, write
from zena.operate.backup.standing import newest_proved, standing
from zena.settings import Settings, load_backup_keys

NOW = datetime.now(UTC)


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(urls.ops)
    await set_json_codecs(conn)
    yield conn
    await conn.execute("TRUNCATE ops.backup, ops.backup_place")
    await conn.close()


@pytest.fixture
async def reader(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(urls.ops_read)
    yield conn
    await conn.close()


@pytest.fixture
def found(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a backup directory of its own."""
    return settings.model_copy(update={"backup_dir": tmp_path / "backups", "backup_key_file": tmp_path / "backup.key"})


async def archived(conn: Any, name: str, age: timedelta, *, kind: str = "dump", fault: str | None = None) -> None:
    await conn.execute(
        "INSERT INTO ops.backup (name, kind, made_at, bytes, rows, files, release, revision, proved_at, fault, host,"
        " seen_at) VALUES ($1, $2, $3, 7000000, 1234, 5, '0.1.0', '0014', $3, $4, 'a', $5)",
        name, kind, NOW - age, fault, NOW,
    )  # fmt: skip


async def logged(conn: Any, age: timedelta) -> None:
    await conn.execute(
        "INSERT INTO ops.backup_place (host, looked_at, free_bytes, log_until, log_pieces, log_bytes, log_waiting)"
        " VALUES ('a', $1, 1000000000, $2, 3, 4, 0)", NOW, NOW - age,
    )  # fmt: skip


async def test_the_newest_that_is_whole_counts_and_its_age_is_held_to_the_promise(ops: Any, reader: Any) -> None:
    nothing = await standing(reader, NOW)
    assert (nothing["late"], nothing["lost"]["until"], nothing["rewind"]) == (True, None, None)
    await archived(ops, "damaged", timedelta(hours=1), fault="damaged between byte 1 and 2")
    await archived(ops, "good", timedelta(hours=25))
    await archived(ops, "older", timedelta(hours=49))
    told = await standing(reader, NOW)
    assert [one["name"] for one in told["archives"]] == ["damaged", "good", "older"]
    assert (told["newest"]["name"], told["late"]) == ("good", False)
    assert told["lost"] == {"until": NOW - timedelta(hours=25), "by": "dump", "late": False}
    assert (await standing(reader, NOW + timedelta(hours=2)))["late"] is True
    for hours, late in ((0.9, False), (1.1, True)):
        assert (await newest_proved(reader, NOW + timedelta(hours=hours)))["late"] is late


async def test_with_the_log_one_goes_back_to_any_moment_since_the_older_copy(ops: Any, reader: Any) -> None:
    await archived(ops, "night", timedelta(hours=3))
    await logged(ops, timedelta(seconds=20))
    assert (await standing(reader, NOW))["rewind"] is None, "a log without a copy to start from leads nowhere"
    await archived(ops, "base-1", timedelta(hours=30), kind="base")
    await archived(ops, "base-2", timedelta(hours=2), kind="base")
    told = await standing(reader, NOW)
    assert told["rewind"] == {"since": NOW - timedelta(hours=30), "until": NOW - timedelta(seconds=20)}
    assert told["lost"] == {"until": NOW - timedelta(seconds=20), "by": "log", "late": False}
    assert (await standing(reader, NOW + timedelta(seconds=41)))["lost"]["late"] is True


async def test_an_operator_sees_it_and_the_overview_warns(
    state: State, firm: Firm, http: httpx.AsyncClient, ops: Any
) -> None:
    operator = await make_operator(state, firm, http)
    await archived(ops, "zena-20260101T014100Z.zbk", timedelta(hours=30))
    await archived(ops, "zena-20260102T014100Z.zbk", timedelta(hours=1), fault="<b>cut off</b>")
    forget(http)
    page, front = await operator.get("/ops/backups"), await operator.get("/ops")
    assert "zena-20260101T014100Z.zbk" in page.text
    assert "&lt;b&gt;cut off" in page.text
    for text in (page.text, front.text):
        assert '<b class="num bad">' in text.partition("Newest backup")[2][:60]
    await archived(ops, "zena-20260103T014100Z.zbk", timedelta(hours=2))
    forget(http)
    assert '<b class="num bad">' not in (await operator.get("/ops")).text.partition("Newest backup")[2][:200]


async def test_what_lies_in_the_directory_is_noted_and_what_is_gone_is_forgotten(ops: Any, found: Settings) -> None:
    ring, folder = load_backup_keys(found, make=True), found.backups_path
    folder.mkdir()
    first, second = (folder / shelf.name_at(NOW - timedelta(days=back)) for back in (2, 1))
    tables = {"public.task": Table(12, "1")}
    manifest = Manifest(1, "0.1.0", "0014", NOW, "18", 5, tables, Fences(1, 1, 1), [])
    for path in (first, second):
        write(path, ring.current, manifest, [])
    (folder / "zena-notes.zbk").write_text("mine")
    rows = "SELECT name, rows, proved_at IS NOT NULL AS proved, fault FROM ops.backup ORDER BY name"
    for _ in range(2):
        await records.note(ops, found)
        assert [tuple(row) for row in await ops.fetch(rows)] == [
            (path.name, 12, True, None) for path in (first, second)
        ]
    with second.open("ab") as file:
        file.write(b"x")
    await records.note(ops, found)
    fault = (await ops.fetch(rows))[1]["fault"]
    assert "it was changed" in fault
    await records.note(ops, found)
    assert (await ops.fetch(rows))[1]["fault"] == fault, "a fault is not forgotten at the next look"
    first.unlink()
    await records.note(ops, found)
    assert [row["name"] for row in await ops.fetch(rows)] == [second.name]
    assert (await ops.fetchrow("SELECT * FROM ops.backup_place"))["free_bytes"] > 0


async def test_an_archive_whose_key_is_not_there_is_none(ops: Any, found: Settings) -> None:
    ring, folder = load_backup_keys(found, make=True), found.backups_path
    folder.mkdir()
    manifest = Manifest(1, "0.1.0", "0014", NOW, "18", 5, {}, Fences(1, 1, 1), [])
    write(folder / shelf.name_at(NOW), ring.current, manifest, [])
    away = found.backup_key_path.rename(found.backup_key_path.with_name("away"))
    await records.note(ops, found)
    row = await ops.fetchrow("SELECT proved_at, fault FROM ops.backup")
    assert (row["proved_at"], "ZENA_BACKUP_KEY_FILE" in row["fault"]) == (None, True)
    away.rename(found.backup_key_path)
    await records.note(ops, found)
    assert await ops.fetchval("SELECT fault IS NULL AND proved_at IS NOT NULL FROM ops.backup"), "it was put back"


async def test_what_another_machine_saw_stays_for_an_hour(ops: Any, found: Settings) -> None:
    await archived(ops, "elsewhere", timedelta(hours=3))
    await records.note(ops, found)
    assert await ops.fetchval("SELECT count(*) FROM ops.backup") == 1
    await ops.execute("UPDATE ops.backup SET seen_at = now() - interval '61 minutes'")
    await records.note(ops, found)
    assert await ops.fetchval("SELECT count(*) FROM ops.backup") == 0


async def test_who_serves_people_may_neither_read_nor_write_it(urls: ClusterUrls, ops: Any) -> None:
    for url, statement in ((urls.app, "SELECT * FROM ops.backup"), (urls.ops_read, "DELETE FROM ops.backup")):
        conn = await asyncpg.connect(url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
        await conn.close()
