"""J07: a firm that was deleted does not come back with an older backup, whatever way it is put back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.operate.backups import House, installation
from zena.kit.exits import Exit
from zena.kit.storage import LocalStorage
from zena.operate.backup.refusal import Refused
from zena.operate.backup.tools import run
from zena.operate.tenants.erased import NAME, note, noted

pytestmark = pytest.mark.proof  # a server of its own, and backups put back

SLUG, OWNER = "meridian-works", "an.nguyen@meridian.example"
#: What stands in the firm and nowhere else.
WORDS = (b"meridian", b"Harbour Tower", b"an.nguyen", "Nguyễn Văn An".encode())


@pytest.fixture
def house() -> Iterator[House]:
    with installation() as built:
        for arguments in (
            ("user", "create", "sole@other.example", "--name", "Sole Owner"),
            ("tenant", "create", "Other Works", "--owner", "sole@other.example"),
        ):
            assert built.zena(*arguments).code == 0
        yield built


def _tenant(house: House, slug: str) -> UUID | None:
    found: UUID | None = house.ask(f"SELECT id FROM tenant WHERE slug = '{slug}'")  # noqa: S608 - a name of ours
    return found


def _matches(house: House) -> list[bytes]:
    """Which words of the firm stand in a dump of everything, or in the files."""
    dump = asyncio.run(run("pg_dump", house.server.urls().superuser, "--format=plain"))
    files = b"".join(path.read_bytes() for path in (house.folder / "files").rglob("*") if path.is_file())
    return [word for word in WORDS if word in dump + files]


def _delete(house: House) -> None:
    ran = house.zena("tenant", "delete", SLUG, "--confirm", SLUG, "--yes", "--no-export")
    assert ran.code == 0, ran.err


def test_a_deleted_firm_is_erased_again_from_an_older_backup_before_it_is_in_use(house: House) -> None:
    tenant = _tenant(house, SLUG)
    assert tenant is not None
    stored = asyncio.run(LocalStorage(house.settings.files_path).put(_once(b"Harbour Tower"), tenant=tenant, limit=99))
    older = house.create().kept.path
    assert set(_matches(house)) == set(WORDS)
    _delete(house)
    ran = house.zena("backup", "restore", str(older), "--yes")
    assert ran.code == 0, ran.err
    assert f"firms that were deleted since were erased from it again: {tenant}" in ran.out
    assert _matches(house) == []
    assert not (house.settings.files_path / stored.key).exists()
    assert house.file.exists()
    assert _tenant(house, "other-works") is not None
    ended = f"SELECT ended_at IS NOT NULL FROM ops.erasure WHERE tenant_id = '{tenant}'"  # noqa: S608 - an id of ours
    assert house.ask(ended) is True
    ran = house.zena("db", "check-integrity")
    assert ran.code == 0, ran.out


def test_undoing_a_restore_does_not_bring_back_what_was_deleted_meanwhile(house: House) -> None:
    house.restore(house.create().kept.path)
    _delete(house)
    ran = house.zena("backup", "undo", "--yes")
    assert ran.code == 0, ran.err
    assert "were erased from it again" in ran.out
    assert _tenant(house, SLUG) is None
    assert _tenant(house, "other-works") is not None
    assert _matches(house) == []


def test_a_firm_that_was_brought_in_again_stays(house: House) -> None:
    tenant = _tenant(house, SLUG)
    kept = house.folder / "kept.zbk"
    assert house.zena("tenant", "export", SLUG, "--out", str(kept)).code == 0
    before = house.create().kept.path
    _delete(house)
    assert house.zena("tenant", "import", str(kept)).code == 0
    after = house.create().kept.path
    assert house.restore(after).erased == []
    assert _tenant(house, SLUG) == tenant
    assert house.restore(before).erased == [tenant]


def test_a_list_that_cannot_be_read_stops_a_restore_and_leaves_all_as_it_was(house: House) -> None:
    path = house.folder / "backups" / NAME
    note(house.settings, uuid4(), datetime.now(UTC))
    path.write_text(path.read_text() + "what is this\n", encoding="utf-8")
    before = house.standing()
    with pytest.raises(Refused, match=r"line 2 of .* is no erasure") as refused:
        house.restore(house.archive)
    assert refused.value.code == Exit.DATA
    assert house.standing() == before


def test_the_list_outlives_a_crash_in_the_middle_of_a_line(house: House) -> None:
    first, second, at = uuid4(), uuid4(), datetime.now(UTC)
    path = house.folder / "backups" / NAME
    note(house.settings, first, at)
    with path.open("a", encoding="utf-8") as cut:
        cut.write(str(second)[:20])
    assert noted(house.settings) == {first: at}
    note(house.settings, second, at)
    note(house.settings, first, at + timedelta(days=1))
    assert noted(house.settings) == {first: at + timedelta(days=1), second: at}
    assert path.stat().st_mode & 0o777 == 0o600


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
