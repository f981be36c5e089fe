"""What running processes are set to, and what they would be set to now: read from the processes themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zena.kit.embedded import urls_of_running
from zena.kit.exits import Exit
from zena.settings import load_settings, read_file
from zena.settings.load import differing

#: Decided when `zena serve` starts: what is bound, how many processes there are, what the embedded database allows.
_AT_START: Final = frozenset(
    {
        "ZENA_DATA_DIR",
        "ZENA_HOST",
        "ZENA_PORT",
        "ZENA_WEBSOCKET_PORT",
        "ZENA_WEBSOCKET_PROCESSES",
        "ZENA_WEB_PROCESSES",
        "ZENA_WORKER_PROCESSES",
    }
)
_EMBEDDED: Final = frozenset({"ZENA_BACKUP_WAL", "ZENA_POOL_SIZE", "ZENA_WORKER_POOL_SIZE"})
_URLS: Final = {f"ZENA_DATABASE_{name}URL" for name in ("", "OWNER_", "OPS_", "OPS_READ_", "BACKUP_", "DIRECT_")}
#: Held by no process that goes on running; the file of settings is the supervisor's, which hands out what is in it.
_NOT_THEIRS: Final = frozenset({"ZENA_DATABASE_OWNER_URL", "ZENA_CONFIG_FILE"})
_WORKERS: Final = frozenset({"ZENA_DATABASE_OPS_URL", "ZENA_DATABASE_BACKUP_URL"})


class Unreadable(Exception):  # noqa: N818 - a fact about a process
    """The environment of a process is not ours to read."""

    def __init__(self, pid: int, reason: str, code: Exit) -> None:
        super().__init__(f"what process {pid} runs with cannot be read ({reason})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Change:
    """What a reload would change: `rows` of variable, before and after; those `at_start` need another start.

    `values` is what the file of settings has, for the processes; `file` is where it lies.
    """

    rows: list[dict[str, Any]]
    at_start: list[str]
    values: dict[str, str]
    file: Path | None


def planned(supervisor: int, crew: dict[str, int]) -> Change:
    """Compare what the processes of a supervisor run with and what its environment and file say now.

    SettingsError if the latter is refused, Unreadable if a process does not let itself be looked at.
    """
    own, running = environment_of(supervisor), dict[str, str]()
    wanted, file = load_settings(own), read_file(own)
    for pid in crew.values():
        running |= environment_of(pid)
    if not running:
        raise Unreadable(supervisor, "none of its processes runs just now", Exit.RETRY)
    now = load_settings(running)
    is_embedded = now.embedded or urls_of_running(now.data_dir) is not None
    unseen = _NOT_THEIRS | (_URLS if is_embedded else set())
    if not any(name.startswith("worker") for name in crew):
        unseen |= _WORKERS
    rows = [row for row in differing(now, wanted) if row["variable"] not in unseen]
    fixed = _AT_START | (_EMBEDDED if is_embedded else set())
    at_start = [row["variable"] for row in rows if row["variable"] in fixed]
    if is_embedded != wanted.embedded:
        at_start.append("ZENA_DATABASE_URL")
    return Change(rows, at_start, file.values, file.path)


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError as error:
        raise Unreadable(
            pid, "it belongs to another user; run this as that user, or as root", Exit.PERMISSION
        ) from error
    except OSError as error:
        code = Exit.RETRY if Path("/proc/self").exists() else Exit.UNAVAILABLE  # it ended just now; or no Linux
        raise Unreadable(pid, error.strerror or str(error), code) from error
    pairs = (item.partition("=") for item in raw.decode(errors="surrogateescape").split("\0") if item)
    return {name: value for name, _, value in pairs}
