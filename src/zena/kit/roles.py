"""The database roles, the script that makes them, and which servers are good enough. Standard library only."""

import re
from collections.abc import Mapping
from pathlib import Path

#: Roles with a password of their own, by the short name used in settings and commands.
ROLES = {
    "owner": "zena_owner",
    "app": "zena_app",
    "ops": "zena_ops",
    "ops_read": "zena_ops_read",
    "backup": "zena_backup",
}
DATABASE = "zena"

#: Oldest fixed release of each major (CVE-2025-8713: planner statistics leak past row-level security).
_OLDEST = {16: 160010, 17: 170006}
_LEAST_MAJOR = 16
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def bootstrap_sql(
    database: str = DATABASE, *, template: str | None = None, passwords: Mapping[str, str] | None = None
) -> str:
    """Return the psql script that makes roles and database. Passwords not given stay psql variables."""
    variables = {"database": checked_name(database)}
    if template is not None:
        variables["template"] = checked_name(template)
    variables |= {f"{role}_password": password for role, password in (passwords or {}).items()}
    head = "".join(f"\\set {name} {_quoted(value)}\n" for name, value in variables.items())
    return head + _read("roles.sql") + '\n\\connect :"database"\n\n' + _read("database.sql")


def database_sql(database: str) -> str:
    """Return the second half of the script: what a database has before the first table. For whoever may be ops."""
    return f"\\set ON_ERROR_STOP on\n\\set database {checked_name(database)}\n" + _read("database.sql")


def checked_name(name: str) -> str:
    """Return a database name that needs no quoting, or raise ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no database name: lower-case letters, digits and _, starting with a letter")
    return name


def why_too_old(version: int) -> str | None:
    """Return why a server (`server_version_num`) is refused, or None."""
    major = version // 10_000
    if major < _LEAST_MAJOR:
        return f"PostgreSQL {major} is too old; {_LEAST_MAJOR} or newer is needed"
    oldest = _OLDEST.get(major, 0)
    if version < oldest:
        found, wanted = f"{major}.{version % 10_000}", f"{major}.{oldest % 10_000}"
        return f"PostgreSQL {found} leaks statistics past row-level security; {wanted} or newer is needed"
    return None


def _read(script: str) -> str:
    return Path(__file__).with_name(script).read_text(encoding="utf-8")


def _quoted(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+", value, re.ASCII):
        raise ValueError("values of the script are letters, digits, _, - and .")
    return f"'{value}'"
