"""Files on disk: whole or not there, under names that come from us alone."""

import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from zena.kit.errors import NotFound, StorageFull, TooLarge
from zena.kit.storage import Damaged, LocalStorage

TENANT = uuid4()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def breaking(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionError("the client went away")


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def content(storage: LocalStorage, key: str, sha256: str | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, sha256=sha256)])


async def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    body = os.urandom(700_000)
    stored = await storage.put(stream(body[:5], body[5:600_000], body[600_000:]), tenant=TENANT, limit=10**6)
    assert (stored.size, stored.sha256, stored.head) == (len(body), hashlib.sha256(body).hexdigest(), body[:4096])
    assert await content(storage, stored.key, stored.sha256) == body
    assert stored.key.startswith(TENANT.hex)
    assert [path.relative_to(tmp_path).as_posix() for path in files(tmp_path)] == [stored.key]


async def test_only_we_may_read_it(tmp_path: Path) -> None:
    stored = await LocalStorage(tmp_path / "files").put(stream(b"x"), tenant=TENANT, limit=9)
    path = tmp_path / "files" / stored.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    stored = await storage.put(stream(), tenant=TENANT, limit=9)
    assert (stored.size, await content(storage, stored.key, stored.sha256)) == (0, b"")


async def test_E07_the_limit_counts_real_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    await storage.put(stream(b"x" * 10), tenant=TENANT, limit=10)
    with pytest.raises(TooLarge):
        await storage.put(stream(b"x" * 10, b"y"), tenant=TENANT, limit=10)
    assert len(files(tmp_path)) == 1


async def test_E08_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        await LocalStorage(tmp_path).put(breaking(b"x" * 1000), tenant=TENANT, limit=10**6)
    assert files(tmp_path) == []


async def test_F09_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zena.kit.storage.os.fsync", full)
    with pytest.raises(StorageFull):
        await LocalStorage(tmp_path).put(stream(b"x"), tenant=TENANT, limit=9)
    assert files(tmp_path) == []


async def test_E08_the_name_appears_only_after_the_bytes_are_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        order.append("rename")
        return rename(path, target)

    monkeypatch.setattr("zena.kit.storage.os.fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    await LocalStorage(tmp_path).put(stream(b"x"), tenant=TENANT, limit=9)
    assert order[:2] == ["fsync", "rename"]
    assert set(order[2:]) == {"fsync"}


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b/c", "incoming/x", "\x00", "%2e%2e/x", "CON", "x" * 5000,
    f"{'a' * 32}/aa/{'a' * 32}/..",
     f"{'A' * 32}/AA/{'A' * 32}", f"{'a' * 32}/aa/{'a' * 32}\n", f"{'a' * 32}//{'a' * 32}"],
)  # fmt: skip
async def test_E01_keys_that_are_not_ours(tmp_path: Path, key: str) -> None:
    storage = LocalStorage(tmp_path)
    with pytest.raises(NotFound):
        await content(storage, key)
    with pytest.raises(NotFound):
        await storage.delete(key)


async def test_E01_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    stored = await storage.put(stream(b"x"), tenant=TENANT, limit=9)
    path = tmp_path / stored.key
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        await content(storage, stored.key)


@pytest.mark.parametrize("size", [10, 600_000])
async def test_F17_changed_bytes_are_never_served_whole(tmp_path: Path, size: int) -> None:
    storage = LocalStorage(tmp_path)
    stored = await storage.put(stream(b"x" * size), tenant=TENANT, limit=10**6)
    path = tmp_path / stored.key
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    seen = b""
    with pytest.raises(Damaged):  # noqa: PT012 - what came before it counts
        async for chunk in storage.read(stored.key, sha256=stored.sha256):
            seen += chunk
    assert len(seen) < size


async def test_deleting_twice_is_fine(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    stored = await storage.put(stream(b"x"), tenant=TENANT, limit=9)
    await storage.delete(stored.key)
    await storage.delete(stored.key)
    with pytest.raises(NotFound):
        await content(storage, stored.key)


async def test_E07_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    assert await storage.sweep(0) == 0
    stored = await storage.put(stream(b"x"), tenant=TENANT, limit=9)
    old, young = tmp_path / "incoming" / ("a" * 32), tmp_path / "incoming" / ("b" * 32)
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert await storage.sweep(3600) == 1
    assert (old.exists(), young.exists(), (tmp_path / stored.key).exists()) == (False, True, True)
