"""The file of settings: `NAME=value` lines, as systemd's EnvironmentFile has them. What the environment says wins."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from zena.settings.alerts import AlertSettings
from zena.settings.model import Settings
from zena.settings.places import default_data_dir
from zena.settings.problems import Problem

PREFIX = "ZENA_"
FILE = "_FILE"
CONFIG = "ZENA_CONFIG_FILE"
#: Names other products use for the same thing; ours win where both are set.
SYNONYMS = {"DATABASE_URL": "ZENA_DATABASE_URL", "REDIS_URL": "ZENA_REDIS_URL"}
_NAMES = sorted(Settings.model_fields, key=AlertSettings.model_fields.__contains__)  # what is inherited stands last
VARIABLES = {f"{PREFIX}{name.upper()}": name for name in _NAMES}
SECRET = frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" in repr(field.annotation))

_DATA = "ZENA_DATA_DIR"
_NAME = "zena.env"
_OTHERS = 0o007
_QUOTES = "'\""


class FromFile(NamedTuple):
    """The file that was read, None for none; what of it the environment leaves to it; what is wrong with it."""

    path: Path | None
    values: dict[str, str]
    problems: list[Problem]


def read_file(environ: Mapping[str, str]) -> FromFile:
    """Read the file that an environment names, else `zena.env` of the data directory if it is there. Raises nothing."""
    path = _place(environ)
    if path is None:
        return FromFile(None, {}, [])
    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        return FromFile(path, {}, [Problem(CONFIG, f"{path} ({reason})", "the path of a readable file of settings")])
    values, problems = _parse(path, text)
    if _DATA in values and CONFIG not in environ:
        problems.append(Problem(_DATA, str(path), f"it in the environment: this file was found by it; or {CONFIG}"))
    if mode & _OTHERS:
        problems += [
            Problem(name, f"{path}, readable by others", f"chmod 640 {path}, or {name}{FILE}")
            for name in values
            if VARIABLES.get(_ours(name)) in SECRET and not name.endswith(FILE)
        ]
    taken = {_ours(name) for name in environ}
    return FromFile(path, {name: value for name, value in values.items() if _ours(name) not in taken}, problems)


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without any setting of ours, under whichever name: for an installation of its own."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX) and name not in SYNONYMS}


def data_dir(environ: Mapping[str, str]) -> Path:
    """Return the data directory of an environment and its file, judging nothing else."""
    given = environ.get(_DATA, "").strip() or read_file(environ).values.get(_DATA)
    return Path(given or default_data_dir()).expanduser().absolute()


def _place(environ: Mapping[str, str]) -> Path | None:
    given = environ.get(CONFIG)
    if given is not None:
        return Path(given).expanduser().absolute() if given.strip() else None
    place = (Path(environ.get(_DATA, "").strip() or default_data_dir()).expanduser() / _NAME).absolute()
    try:
        return place if place.exists() else None
    except OSError:  # of a directory that is none of ours: told where the directory is
        return None


def _parse(path: Path, text: str) -> tuple[dict[str, str], list[Problem]]:
    values: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        where = f"{path}, line {number}"
        if not equals or "\0" in value:
            problems.append(Problem(where, "something else", "NAME=value, or a comment that begins with #"))
        elif name == CONFIG or _ours(name) not in VARIABLES:
            close = get_close_matches(name, VARIABLES, n=1, cutoff=0.6)
            hint = f"{close[0]}, perhaps" if close and name != CONFIG else "no such variable here"
            problems.append(Problem(name, where, hint))
        elif name in values:
            problems.append(Problem(name, where, "it once only"))
        else:
            values[name] = _plain(value)
    return values, problems


def _plain(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES
    return value[1:-1] if is_quoted else value


def _ours(name: str) -> str:
    """Return the variable that a name sets, itself or by the path of a file."""
    name = SYNONYMS.get(name, name)
    bare = name.removesuffix(FILE)
    return bare if name not in VARIABLES and bare in VARIABLES else name
