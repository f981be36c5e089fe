"""What a migration would send to the database, statement by statement, and what each would keep others from doing."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from alembic import command

from zena.migrations.run import config

_RUNNING: Final = re.compile(r"^-- Running upgrade \w* -> (\w+).*$", re.MULTILINE)
_FRAME: Final = re.compile(r"(BEGIN|COMMIT)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|;", re.DOTALL)
_COMMENT: Final = re.compile(r"^\s*--[^\n]*\n?", re.MULTILINE)
_NAME: Final = r"(?:IF (?:NOT )?EXISTS )?(?:ONLY )?([\w.\"]+)"

#: Statements that take a lock others feel, the table's name in the first group; the first that fits counts.
_LOCKS: Final = tuple(
    (re.compile(pattern.replace("NAME", _NAME), re.IGNORECASE | re.DOTALL), effect)
    for pattern, effect in (
        (r"ALTER TABLE NAME.*\bVALIDATE CONSTRAINT", "blocks other changes of the schema"),
        (r"ALTER TABLE NAME", "blocks reading and writing"),
        (r"(?:CREATE|DROP|ALTER) POLICY \w+ ON NAME", "blocks reading and writing"),
        (r"DROP TABLE NAME", "blocks reading and writing"),
        (r"DROP INDEX (?!CONCURRENTLY)NAME", "blocks reading and writing of its table"),
        (r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*?\bON NAME", "waits for running transactions, blocks nobody"),
        (r"CREATE (?:UNIQUE )?INDEX .*?\bON NAME", "blocks writing"),
        (r"CREATE (?:CONSTRAINT )?TRIGGER .*?\bON NAME", "blocks writing"),
        (r"(?:TRUNCATE|CLUSTER|REINDEX)(?: TABLE)? NAME", "blocks reading and writing"),
        (r"LOCK(?: TABLE)? NAME", "blocks what it names"),
        (r"(?:UPDATE|DELETE FROM) NAME", "blocks writing of the rows it touches"),
    )
)
_MADE: Final = re.compile(rf"CREATE TABLE {_NAME}", re.IGNORECASE)

_POINTED: Final = re.compile(r"REFERENCES ([\w.\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. `lock` says whom it keeps waiting, empty where nobody: a table made in the plan has no users."""

    revision: str
    sql: str
    table: str = ""
    lock: str = ""


def steps(current: str | None, head: str) -> list[Step]:
    """Return every statement between two revisions, in order. Nothing is connected to, nothing is done."""
    if current == head:
        return []
    buffer = io.StringIO()
    settings = config()
    settings.output_buffer = buffer
    command.upgrade(settings, f"{current or 'base'}:{head}", sql=True)
    parts = _RUNNING.split(buffer.getvalue())
    made = {"alembic_version"}  # nobody but migrations writes there
    found = []
    for revision, script in zip(parts[1::2], parts[2::2], strict=True):
        for sql in statements(script):
            created = _MADE.match(_COMMENT.sub("", sql).lstrip())
            if created:
                made.add(created[1])
            found.append(_step(revision, sql, made))
    return found


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script without the transaction's frame; a `;` inside of quotes ends none."""
    start = 0
    for token in _TOKEN.finditer(script):
        if token[0] != ";":
            continue
        sql, start = script[start : token.start()].strip(), token.end()
        bare = _COMMENT.sub("", sql).strip()
        if bare and not _FRAME.fullmatch(bare):
            yield sql
    if _COMMENT.sub("", script[start:]).strip():
        yield script[start:].strip()


def _step(revision: str, sql: str, made: set[str]) -> Step:
    bare = " ".join(_COMMENT.sub("", sql).split())
    for pattern, effect in _LOCKS:
        match = pattern.match(bare)
        if match:
            return Step(revision, sql, match[1], "" if match[1] in made else effect)
    held = sorted({name for name in _POINTED.findall(bare) if name not in made}) if _MADE.match(bare) else []
    return Step(revision, sql, ", ".join(held), "blocks writing, being pointed at" if held else "")
