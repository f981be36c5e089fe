"""Making a cluster, so that a crash in the middle leaves none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from zena.kit.embedded.account import Account
from zena.kit.embedded.place import Place, own
from zena.kit.embedded.urls import SUPERUSER, EmbeddedError
from zena.kit.embedded.wheel import Binaries

SHIM = Path(__file__).with_name("shim.py")
_TIMEOUT = 300
_BUILTIN_LOCALES_SINCE = 17


def make_cluster(place: Place, binaries: Binaries, account: Account | None, *, password: str, durable: bool) -> None:
    """Make the cluster unless it is there: complete under its name, or not at all."""
    if (place.cluster / "PG_VERSION").is_file():
        return
    for old in place.drafts:
        shutil.rmtree(old, ignore_errors=True)
    draft = place.new_draft()
    secret = place.base / f".{place.major}-password"
    secret.unlink(missing_ok=True)
    own(draft, account)
    secret.touch(mode=0o600)
    try:
        secret.write_text(password, encoding="ascii")
        if account is not None:
            account.give(secret)
        options = [f"--pwfile={secret}", *([] if durable else ["--no-sync"])]
        _run(draft, _locales(place.major), binaries, account, options)
    finally:
        secret.unlink(missing_ok=True)
    draft.rename(place.cluster)


def _run(
    draft: Path, locales: list[list[str]], binaries: Binaries, account: Account | None, more: Sequence[str]
) -> None:
    options = ["-D", str(draft), "-U", SUPERUSER, "--auth=scram-sha-256", *more]
    options += ["--encoding=UTF8", "--data-checksums", "--no-instructions"]
    refusal = ""
    for locale in locales:
        command = as_account(account, [binaries.tool("initdb"), *options, *locale])
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, cwd="/")  # noqa: S603 - our own binaries
        if done.returncode == 0:
            return
        refusal = (done.stderr or done.stdout).strip()
        shutil.rmtree(draft, ignore_errors=True)
        own(draft, account)
    raise EmbeddedError(f"the database could not be made in {draft.parent}: {refusal}")


def _locales(major: int) -> list[list[str]]:
    """Return locale options to try in turn: case rules of Unicode, byte order, the same on every machine."""
    if major >= _BUILTIN_LOCALES_SINCE:
        return [["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]]
    return [["--locale=C.UTF-8"], ["--locale=C"]]


def as_account(account: Account | None, command: list[str]) -> list[str]:
    """Return the command that runs `command` as the server's user and lets it end with us."""
    uid, gid = (str(account.uid), str(account.gid)) if account else ("-", "-")
    return [sys.executable, "-I", "-S", str(SHIM), uid, gid, str(os.getpid()), *command]
