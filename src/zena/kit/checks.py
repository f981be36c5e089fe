"""What a slice promises about its rows, as SQL that finds whatever breaks the promise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repair:
    """Statements that make a promise true again for the tenant $1, in this order, in one transaction.

    `lock` makes everybody wait who would write these rows. `tables` names every table the statements write, each with
    a column tenant_id: after the lock, the tenant's rows in them are copied away.
    """

    name: str
    lock: str
    tables: tuple[str, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A promise: `sql` takes the tenant as $1 and returns what breaks it; the first column names the object."""

    name: str
    sql: str
    repair: Repair | None = None


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Files that rows speak of: `sql` takes the tenant as $1 and returns id, key, size (bytes) and sha256 (hex)."""

    name: str
    sql: str
