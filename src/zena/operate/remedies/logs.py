"""The folder of the log files, which does not take them: made again, opened, or freed of what lies in its place."""

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from zena.kit.logfile import FOLDER_MODE, LogFile, make_folder
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.symptoms.contract import Look

#: A file in which nothing is written: only whether it could be is looked at.
_TRIAL: Final = "app.log"


async def _plan(look: Look, target: Target) -> Plan:
    host = target.scope.split()[1] if len(target.scope.split()) > 1 else ""
    if host not in {"", socket.gethostname()}:
        raise Refused(f"the files are on {host}: apply it there")
    folder = look.settings.logs_path
    if folder.is_symlink() and not folder.exists():
        raise Refused(f"{folder} leads to {folder.readlink()}, which is not there: is its disk mounted?")
    if not folder.parent.is_dir():
        raise Refused(f"{folder.parent} is not there: is its disk mounted?")
    todo, effects = _wanted(folder)
    if not todo:
        raise Refused(f"{folder} is as it should be: `zena status` names what else is wrong")
    acts_on = {"folder": str(folder), "todo": todo}
    return Plan(
        acts_on, effects, {"folders": 1}, "none: what lay there is kept beside it, what was closed can be opened"
    )


def _wanted(folder: Path) -> tuple[list[str], list[str]]:
    """Return what is to be done, in order, and what each means."""
    if not folder.exists():
        return ["make"], [f"make {folder}, for the user who runs Zena alone (0750)"]
    if not folder.is_dir():
        return ["aside", "make"], [f"move what lies at {folder} aside, to {_aside(folder).name}",
                                   f"make {folder}, for the user who runs Zena alone (0750)"]  # fmt: skip
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) != FOLDER_MODE and found.st_uid == os.geteuid():
        return ["open"], [f"set the mode of {folder} from {stat.S_IMODE(found.st_mode):04o} to {FOLDER_MODE:04o}"]
    return [], []


def _aside(folder: Path) -> Path:
    """Return the first free name beside it."""
    number = 1
    while folder.with_name(f"{folder.name}.aside-{number}").exists():
        number += 1
    return folder.with_name(f"{folder.name}.aside-{number}")


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:  # noqa: ARG001 - what is done is on this disk
    _do(Path(acts_on["folder"]), acts_on["todo"])
    tell(f"{acts_on['folder']} takes log files: each process writes again within seconds")


def _do(folder: Path, todo: Sequence[str]) -> None:
    for step in todo:
        if step == "aside":
            folder.rename(_aside(folder))
        elif step == "make":
            make_folder(folder)
        else:
            folder.chmod(FOLDER_MODE)


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:  # noqa: ARG001 - as above
    trial = LogFile(Path(acts_on["folder"]) / _TRIAL, 1, 1)
    trial.look()
    trial.close()
    return trial.trouble is None


MEND_LOGS: Final = Remedy(
    "mend_logs", "make the folder of the log files take them again",
    frozenset(("E1", cause) for cause in ("files", "not_allowed")), Risk.APPLICATION,
    _plan, _apply, _gone,
)  # fmt: skip
