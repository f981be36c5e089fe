"""One change, or several that belong together: who makes it, what it counts, what happened. Written out at its end."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.db import Raw, raw
from zena.kit.errors import Problem
from zena.kit.events import Event, record
from zena.kit.scope import Scope
from zena.work.counters import Tally
from zena.work.models import Task

Values: TypeAlias = Mapping[str, Any] | None


@dataclass(slots=True)
class Change:
    """What every action works with; `conn` is the driver under the session, for statements that must be quick.

    `batch` joins the events of one bulk change; `refused` is what became of those of its parts that were not made.
    """

    session: AsyncSession
    scope: Scope
    conn: Raw
    batch: UUID | None = None
    tally: Tally = field(default_factory=Tally)
    happened: list[tuple[Event, Values, Values]] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)

    def record(self, event: Event, *, before: Values = None, after: Values = None) -> None:
        self.happened.append((event, before, after))

    def touch(self, task: Task) -> None:
        """Give a changed task its next version."""
        task.version += 1
        task.updated_at = self.scope.at

    def part(self) -> "Change":
        """Return a part of this change that may still be refused; `take` it when it has succeeded."""
        return Change(self.session, self.scope, self.conn, self.batch)

    def take(self, part: "Change") -> None:
        self.tally.merge(part.tally)
        self.happened += part.happened

    async def finish(self) -> None:
        """Flush, write the counters, hand the events over for the seal."""
        await self.session.flush()
        await self.tally.write(self.conn, self.scope.tenant)
        for event, before, after in self.happened:
            record(self.session, self.scope, event, before=before, after=after, batch=self.batch)


@asynccontextmanager
async def change(session: AsyncSession, scope: Scope, batch: UUID | None = None) -> AsyncIterator[Change]:
    """Open a change; at its end the rows are flushed and the counters written, last because everybody wants those rows.

    Locks are taken in one order by all: the project (shared by writers of single tasks, alone for what changes the tree
    of tasks or many of them), tasks from the deepest level up, the project's number counter, the counters, the seal.
    """
    made = Change(session, scope, await raw(session), batch)
    yield made
    await made.finish()
