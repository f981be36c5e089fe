"""Reading the environment: all problems are collected before any is told."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from zena.settings.keys import ring_problems
from zena.settings.model import Settings
from zena.settings.places import why_not_writable
from zena.settings.problems import Problem, SettingsError
from zena.settings.rules import contradictions
from zena.settings.types import masked

_PREFIX = "ZENA_"
_FILE = "_FILE"
#: Names other products use for the same thing; ours win where both are set.
_SYNONYMS = {"DATABASE_URL": "ZENA_DATABASE_URL", "REDIS_URL": "ZENA_REDIS_URL"}
#: No clock that is right shows an earlier year than the one this was written in.
_BUILT = 2026
_TRUE = {"1", "true", "yes", "on"}

VARIABLES = {f"{_PREFIX}{name.upper()}": name for name in Settings.model_fields}
_SECRET = frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" in repr(field.annotation))


class _Given(EnvSettingsSource):
    """The environment as a mapping handed in."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in values.items()}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings. Any variable may be given as `NAME_FILE`, the path of a file that holds it.

    Raises SettingsError with every problem at once.
    """
    given = os.environ if environ is None else environ
    values, problems = _collect(given)
    problems += _unknown(given)
    read = _Given(values)()
    try:
        settings, refused = Settings(**read), frozenset[str]()
    except ValidationError as error:
        problems += [_refused(item, values) for item in error.errors()]
        refused = frozenset(str(item["loc"][0]) for item in error.errors())
        settings = Settings(**{name: value for name, value in read.items() if name not in refused})
    problems += contradictions(settings, refused)
    problems += _surroundings(settings, given)
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.variable))
    return settings


def _collect(environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for variable, value in _spelled(environ):
        if not value.strip():
            problems.append(Problem(variable, "nothing", "a value, or no such variable at all"))
        else:
            values[variable] = value.strip()
    for variable in VARIABLES:
        name = variable + _FILE
        if name in VARIABLES or name not in environ:
            continue
        try:
            content = Path(environ[name]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            problems.append(Problem(name, environ[name], f"the path of a readable file ({reason})"))
            continue
        if variable in values:
            problems.append(Problem(name, f"{name} and {variable}", "only one of the two"))
        values[variable] = content
    return values, problems


def _spelled(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable in VARIABLES:
        if variable in environ:
            yield variable, environ[variable]
    for foreign, variable in _SYNONYMS.items():
        if variable not in environ and variable + _FILE not in environ and environ.get(foreign, "").strip():
            yield variable, environ[foreign]


def _unknown(environ: Mapping[str, str]) -> list[Problem]:
    known = set(VARIABLES) | {variable + _FILE for variable in VARIABLES}
    problems = []
    for variable in environ:
        if variable.startswith(_PREFIX) and variable not in known:
            close = get_close_matches(variable, VARIABLES, n=1, cutoff=0.6)
            hint = f"{close[0]}, perhaps" if close else "no such variable"
            problems.append(Problem(variable, "a variable nobody reads", hint))
    return problems


def _refused(item: Any, values: Mapping[str, str]) -> Problem:
    field = str(item["loc"][0]) if item["loc"] else ""
    variable = f"{_PREFIX}{field.upper()}"
    raw = values.get(variable, "nothing")
    found = (masked(raw) if "://" in raw else "***") if field in _SECRET else raw
    wanted = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return Problem(variable, found[:120], wanted)


def _surroundings(settings: Settings, environ: Mapping[str, str]) -> list[Problem]:
    problems = []
    if settings.env == "production" and environ.get("DEBUG", "").lower() in _TRUE:
        problems.append(Problem("DEBUG", environ["DEBUG"], "no DEBUG in production"))
    why = why_not_writable(settings.data_dir)
    if why:
        problems.append(Problem("ZENA_DATA_DIR", f"{settings.data_dir}, which {why}", "a directory we can write to"))
    else:
        problems += ring_problems(settings.keys_path)
    year = datetime.now(UTC).year
    if year < _BUILT:
        problems.append(Problem("the machine's clock", str(year), "the present date; sessions depend on it"))
    return problems


def described(settings: Settings) -> list[dict[str, str]]:
    """Return every variable with its value (secrets masked) and its description, for people to read."""
    fields = Settings.model_fields
    return [
        {"variable": variable, "value": _plain(getattr(settings, name)), "description": fields[name].description or ""}
        for variable, name in VARIABLES.items()
    ]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return masked(value.get_secret_value())
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
