"""Reading the environment and the file of settings: all problems are collected before any is told."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from zena.settings.env_file import CONFIG, FILE, PREFIX, SECRET, SYNONYMS, VARIABLES, read_file
from zena.settings.keys import ring_problems
from zena.settings.model import Settings
from zena.settings.places import why_not_writable
from zena.settings.problems import Problem, SettingsError
from zena.settings.rules import contradictions
from zena.settings.types import hidden

__all__ = ["VARIABLES", "described", "differing", "load_settings"]

#: No clock that is right shows an earlier year than the one this was written in.
_BUILT = 2026
_TRUE = {"1", "true", "yes", "on"}


class _Given(EnvSettingsSource):
    """The environment as a mapping handed in."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in values.items()}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings: the environment, and the file of settings for what it leaves out.

    Any variable may be given as `NAME_FILE`, the path of a file that holds it. Raises SettingsError with every problem
    at once.
    """
    own = os.environ if environ is None else environ
    file = read_file(own)
    given = {**file.values, **own}
    if file.path is None:
        given.pop(CONFIG, None)
    else:
        given[CONFIG] = str(file.path)
    values, problems = _collect(given)
    problems += file.problems
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
        name = variable + FILE
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
    for foreign, variable in SYNONYMS.items():
        if variable not in environ and variable + FILE not in environ and environ.get(foreign, "").strip():
            yield variable, environ[foreign]


def _unknown(environ: Mapping[str, str]) -> list[Problem]:
    known = set(VARIABLES) | {variable + FILE for variable in VARIABLES}
    problems = []
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known:
            close = get_close_matches(variable, VARIABLES, n=1, cutoff=0.6)
            hint = f"{close[0]}, perhaps" if close else "no such variable"
            problems.append(Problem(variable, "a variable nobody reads", hint))
    return problems


def _refused(item: Any, values: Mapping[str, str]) -> Problem:
    field = str(item["loc"][0]) if item["loc"] else ""
    variable = f"{PREFIX}{field.upper()}"
    raw = values.get(variable, "nothing")
    found = hidden(raw) if field in SECRET else raw
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


def differing(before: Settings, after: Settings) -> list[dict[str, str]]:
    """Return the variables that differ, with both values, secrets masked."""
    changed = [
        (variable, _plain(getattr(before, name)), _plain(getattr(after, name)))
        for variable, name in VARIABLES.items()
        if getattr(before, name) != getattr(after, name)  # secrets compare by what they hold
    ]
    return [
        {"variable": variable, "before": one, "after": f"{two} (another secret)" if one == two else two}
        for variable, one, two in changed
    ]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return hidden(value.get_secret_value())
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
