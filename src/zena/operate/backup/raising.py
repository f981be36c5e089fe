"""Starting a copy of the server from a base backup and the log after it, in a directory of its own."""

import shlex
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from zena.kit.embedded import ClusterUrls, EmbeddedError, EmbeddedPostgres
from zena.kit.embedded.account import Account, server_account
from zena.kit.embedded.orphans import end_orphan
from zena.kit.embedded.place import Place, choose, own
from zena.kit.embedded.running import passwords_path, write_private
from zena.kit.exits import Exit
from zena.kit.posture import check_posture
from zena.operate.backup import archive, wal
from zena.operate.backup.archive import Manifest
from zena.operate.backup.contents import fences_of, reading
from zena.operate.backup.refusal import Refused
from zena.settings import KeyRing, Settings


@dataclass(frozen=True, slots=True)
class Copy:
    """A server that runs on what was restored. `place` is where its cluster lies."""

    server: EmbeddedPostgres
    place: Place
    urls: ClusterUrls

    async def check(self, manifest: Manifest) -> None:
        """Raise Refused unless the fences between firms are those of the original, or any that came later."""
        await check_posture(self.urls.app)
        async with reading(self.urls.backup) as conn:
            found = await fences_of(conn)
        if found.policies < manifest.fences.policies or found.forced < manifest.fences.forced:
            raise Refused("policies that keep firms apart did not come back")


@contextmanager
def raised(
    settings: Settings, ring: KeyRing, parts: Path, manifest: Manifest, *, until: datetime | None
) -> Iterator[Copy]:
    """Start a copy, gone on to a moment or to the end of the log; its directory is gone afterwards.

    Refused when it does not start: no such moment in the log, a piece of it missing.
    """
    folder, account = settings.data_dir / ".copy", server_account()
    if folder.exists():  # of one that was killed
        _clear(choose(folder, wal.MAJOR, account), folder)
    there = choose(folder, wal.MAJOR, account)
    server = EmbeddedPostgres(folder, options=_options(there, until))
    try:
        _lay(parts, there, folder, account)
        wal.unseal(settings, ring, _incoming(there), since=manifest.wal or "")
        _hand_over(there, account)
        try:
            urls = server.start()
        except EmbeddedError as error:
            raise Refused(
                f"the base backup and the log since do not lead there: {_log(there) or error}", Exit.DATA
            ) from error
        yield Copy(server, there, urls)
    finally:
        server.stop()
        _clear(there, folder)


def _clear(there: Place, folder: Path) -> None:
    end_orphan(there.cluster)
    shutil.rmtree(there.base, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _lay(parts: Path, there: Place, folder: Path, account: Account | None) -> None:
    passwords = passwords_path(folder, wal.MAJOR)
    passwords.parent.mkdir(mode=0o700)
    write_private(passwords, (parts / archive.PASSWORDS).read_text(encoding="utf-8"))
    own(there.cluster, account)
    own(_incoming(there), account)
    with tarfile.open(parts / archive.BASE, "r:gz") as tar:
        tar.extractall(there.cluster, filter="data")
    (there.cluster / "recovery.signal").touch()


def _hand_over(there: Place, account: Account | None) -> None:
    """Give all that was laid to the server's user."""
    if account is None:
        return
    for top in (there.cluster, _incoming(there)):
        for path in top.rglob("*"):
            account.give(path)


def _options(there: Place, until: datetime | None) -> dict[str, str]:
    fetch = shlex.quote(str(_incoming(there)).replace("%", "%%"))
    # Nobody may look before it has arrived.
    options = {"restore_command": f"cp {fetch}/%f %p", "recovery_target_action": "promote", "hot_standby": "off"}
    return options | ({"recovery_target_time": until.isoformat()} if until else {})


def _incoming(there: Place) -> Path:
    return there.base / "incoming"


def _log(there: Place) -> str:
    """Return the last fatal line of the copy's log."""
    lines = [line for path in there.logs.glob("*") for line in path.read_text(errors="replace").splitlines()]
    return next((line.partition("FATAL:")[2].strip() for line in reversed(lines) if "FATAL:" in line), "")
