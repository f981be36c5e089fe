"""F-16: every archive that is not what was written is refused with its reason, and the target is as it was."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.operate.backups import House, installation
from zena.kit.exits import Exit
from zena.operate.backup import archive, shelf, tools
from zena.operate.backup.refusal import Refused
from zena.operate.backup.sealed import PIECE, SealedReader, SealedWriter
from zena.settings import SettingsError, load_backup_keys, load_keys

pytestmark = pytest.mark.proof  # real processes and servers, many times over


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with installation() as made:
        yield made


def copied(house: House, name: str) -> Path:
    return Path(shutil.copy(house.archive, house.folder / name))


def resealed(house: House, name: str, dumped: Path | None = None, **changes: Any) -> Path:
    """An archive with our seal whose manifest says something else, or with another dump."""
    ring, parts, path = load_backup_keys(house.settings, make=False), house.folder / "parts", house.folder / name
    manifest = archive.unpack(house.archive, ring, parts, files=True)
    if dumped is not None:
        dumped.replace(parts / archive.DUMP)
        changes["parts"] = [archive.part_of(part.name, parts / part.name) for part in manifest.parts]
    sources = [parts / part.name for part in manifest.parts]
    archive.write(path, ring.current, msgspec.structs.replace(manifest, **changes), sources)
    shutil.rmtree(parts)
    return path


def refused(house: House, path: Path, says: str, code: Exit = Exit.DATA, **changes: Any) -> None:
    """Neither verified nor restored, for this reason; nothing was touched and nothing is left behind."""
    before = house.standing()
    for way in (house.verify, house.restore):
        with pytest.raises(Refused, match=says) as caught:
            way(path, **changes)
        assert caught.value.code == code
    assert house.standing() == before
    assert house.leftovers() == []
    path.unlink()


@pytest.mark.parametrize("place", [0, 9, 12, 25, 60, 5_000, 0.5, -1])
def test_one_flipped_bit_is_found_wherever_it_is(house: House, place: float) -> None:
    path = copied(house, "flipped.zbk")
    data = bytearray(path.read_bytes())
    data[int(place * len(data)) if 0 < place < 1 else int(place)] ^= 1
    path.write_bytes(data)
    refused(house, path, "flipped.zbk", Exit.CONFIG if place == 25 else Exit.DATA)  # the name of the key


@pytest.mark.parametrize("length", [0, 5, 17, 40, 0.5, -1])
def test_a_truncated_archive(house: House, length: float) -> None:
    path = copied(house, "cut.zbk")
    data = path.read_bytes()
    path.write_bytes(data[: int(length * len(data)) if 0 < length < 1 else int(length)])
    refused(house, path, "cut off" if length not in {0, 5, 17} else "no backup of Zena")


def test_the_command_says_so_in_one_line_and_changes_nothing(house: House) -> None:
    path, before = copied(house, "flipped.zbk"), house.standing()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for command in (("verify", str(path)), ("restore", str(path), "--yes")):
        ran = house.zena("backup", *command)
        assert (ran.code, ran.out) == (Exit.DATA, "")
        assert "flipped.zbk is damaged between byte" in ran.err
        assert len(ran.err.splitlines()) == 1
    assert house.standing() == before
    path.unlink()


def test_an_archive_with_no_rows(house: House) -> None:
    tables = archive.manifest_of(house.archive, load_backup_keys(house.settings, make=False)).tables
    refused(house, resealed(house, "a.zbk", tables={name: archive.Table(0, "0") for name in tables}), "holds 0 rows")


def test_an_archive_whose_rows_are_not_in_the_dump(house: House) -> None:
    """A dump by a role that row-level security holds is well formed, and has no rows."""
    hollow = house.folder / "hollow.dump"
    arguments = ("--format=custom", "--exclude-schema=gate", "--schema-only")
    asyncio.run(tools.run("pg_dump", house.server.urls().backup, *arguments, output=hollow))
    refused(house, resealed(house, "b.zbk", hollow), "and 0 came back")


def test_a_dump_that_postgres_does_not_take(house: House) -> None:
    nonsense = house.folder / "nonsense.dump"
    nonsense.write_bytes(b"SELECT 1")
    refused(house, resealed(house, "c.zbk", nonsense), "pg_restore failed", Exit.UNAVAILABLE)


def test_a_row_that_came_back_changed(house: House) -> None:
    tables = archive.manifest_of(house.archive, load_backup_keys(house.settings, make=False)).tables
    other = tables | {"public.task": archive.Table(tables["public.task"].rows, "1")}
    refused(house, resealed(house, "d.zbk", tables=other), "rows of public.task are not what they were")


def test_fences_that_did_not_come_back(house: House) -> None:
    refused(house, resealed(house, "e.zbk", fences=archive.Fences(1, 1, 1)), "policies or grants")


def test_an_archive_of_a_newer_release(house: House) -> None:
    says = "made by release 9.0 at revision 9999.*install that release or a newer one"
    refused(house, resealed(house, "f.zbk", revision="9999", release="9.0"), says)
    refused(house, resealed(house, "g.zbk", format=99), "install that release or a newer one")
    path = copied(house, "h.zbk")
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)
    refused(house, path, "of a newer release")


def test_without_its_key_nothing_opens_and_no_key_is_made(house: House) -> None:
    missing = house.folder / "elsewhere.key"
    for way in (house.verify, house.restore):
        with pytest.raises(SettingsError, match="ZENA_BACKUP_KEY_FILE"):
            way(house.archive, backup_key_file=missing)
    assert not missing.exists()
    load_keys(house.settings.model_copy(update={"key_file": missing}))
    refused(house, copied(house, "i.zbk"), "not in the backup key file", Exit.CONFIG, backup_key_file=missing)
    row = house.zena("backup", "list", ZENA_BACKUP_KEY_FILE=missing)
    assert (row.code, "not in the backup key file" in row.out) == (0, True)


def test_pieces_that_change_places_or_are_left_out_do_not_open(house: House, tmp_path: Path) -> None:
    ring = load_backup_keys(house.settings, make=False)
    whole, text = tmp_path / "whole", bytes(range(256)) * (PIECE // 128)
    writer = SealedWriter(whole, ring.current)
    writer.write(text)
    writer.write(b"the end")
    writer.close()
    reader = SealedReader(whole, ring)
    assert reader.read(10**9) == text + b"the end"
    reader.close()
    data = whole.read_bytes()
    head, sealed = len(data) - len(text) - len(b"the end") - 3 * 16, PIECE + 16
    one, two, rest = data[head : head + sealed], data[head + sealed : head + 2 * sealed], data[head + 2 * sealed :]
    for number, wrong in enumerate((two + one + rest, one + one + rest, one + two, one + rest + two)):
        path = tmp_path / str(number)
        size = (head + len(wrong)).to_bytes(8, "big")
        path.write_bytes(data[:9] + size + data[17:head] + wrong)
        reader = SealedReader(path, ring)
        with pytest.raises(Refused, match="is damaged between"):
            reader.drain()
        reader.close()


@pytest.mark.parametrize("name", ["files/../../etc/passwd", "/etc/passwd", "files//x", "files/.", "other", "files/"])
def test_a_part_stays_below_its_directory(name: str) -> None:
    assert not archive.is_safe(name)


def test_a_disk_without_room_is_told_before_it_is_full(house: House) -> None:
    with pytest.raises(Refused, match="MB free") as caught:
        shelf.check_room(house.folder, 2**62)
    assert caught.value.code == Exit.IO
