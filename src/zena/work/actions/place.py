"""Where a task stands in the order of its project. A move changes the rank of one row."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from zena.kit.errors import NotFound
from zena.work import rank
from zena.work.change import Change
from zena.work.models import Task

# Holding this row orders all changes of rank and number in a project.
_ORDER = "SELECT last_number FROM project_counter WHERE tenant_id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_NUMBERS = (
    "UPDATE project_counter SET last_number = last_number + $3 WHERE tenant_id = $1 AND project_id = $2"
    " RETURNING last_number"
)
_RERANK = (
    "UPDATE task t SET rank = n.rank FROM unnest($2::uuid[], $3::text[]) AS n(id, rank)"
    " WHERE t.tenant_id = $1 AND t.id = n.id"
)
#: How many rows on each side of a crowd get new ranks.
NEIGHBOURHOOD = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task goes: behind one task, in front of another. Both: right behind the first. Neither: to the end."""

    after: UUID | None = None
    before: UUID | None = None


async def take_numbers(made: Change, project_id: UUID, count: int = 1) -> int:
    """Take the project's next numbers and return the first. The row stays locked: no gap, no twin."""
    last: int = await made.conn.fetchval(_NUMBERS, made.scope.tenant, project_id, count)
    return last - count + 1


async def rank_at(made: Change, project_id: UUID, place: Place, task_id: UUID | None = None) -> str:
    """Return a free rank for a task at a place; 404 for a neighbour that is not a live task of the project.

    The neighbours are looked up in the whole project, behind the lock that orders all changes of rank: two tasks moved
    to one spot at once get two ranks.
    """
    await made.session.flush()
    last_number: int = await made.conn.fetchval(_ORDER, made.scope.tenant, project_id)
    end = rank.rank_of(last_number + 1)
    if place.after is not None:
        low: str | None = await _rank_of(made, project_id, place.after, task_id)
        high = await _next(made, project_id, low, task_id)
    elif place.before is not None:
        high = await _rank_of(made, project_id, place.before, task_id)
        low = await _previous(made, project_id, high, task_id)
    else:
        low, high = await _previous(made, project_id, end, task_id), None
    # In front of the next number's rank, so that what is added later still comes last.
    found = rank.between(low, high or end)
    if len(found) <= rank.CROWDED:
        return found
    await _spread(made, project_id, found, end)
    return await rank_at(made, project_id, place, task_id)


async def _rank_of(made: Change, project_id: UUID, other: UUID, task_id: UUID | None) -> str:
    query = select(Task.rank).where(
        Task.tenant_id == made.scope.tenant, Task.project_id == project_id, Task.id == other, Task.deleted_at.is_(None)
    )
    found = await made.session.scalar(query)
    if found is None or other == task_id:
        raise NotFound.of("task", other)
    return found


async def _next(made: Change, project_id: UUID, low: str | None, task_id: UUID | None) -> str | None:
    query = select(Task.rank).where(Task.tenant_id == made.scope.tenant, Task.project_id == project_id, Task.rank > low)
    if task_id is not None:
        query = query.where(Task.id != task_id)
    found: str | None = await made.session.scalar(query.order_by(Task.rank).limit(1))
    return found


async def _previous(made: Change, project_id: UUID, high: str, task_id: UUID | None) -> str | None:
    query = select(Task.rank).where(
        Task.tenant_id == made.scope.tenant, Task.project_id == project_id, Task.rank < high
    )
    if task_id is not None:
        query = query.where(Task.id != task_id)
    found: str | None = await made.session.scalar(query.order_by(Task.rank.desc()).limit(1))
    return found


async def _spread(made: Change, project_id: UUID, around: str, end: str) -> None:
    """Give the rows around a crowded spot new, shorter ranks in the same order."""
    base = select(Task.id, Task.rank).where(Task.tenant_id == made.scope.tenant, Task.project_id == project_id)
    lower = base.where(Task.rank < around).order_by(Task.rank.desc()).limit(NEIGHBOURHOOD + 1)
    upper = base.where(Task.rank > around).order_by(Task.rank).limit(NEIGHBOURHOOD + 1)
    below = list((await made.session.execute(lower)).all())
    above = list((await made.session.execute(upper)).all())
    low = below.pop().rank if len(below) > NEIGHBOURHOOD else ""
    high = above.pop().rank if len(above) > NEIGHBOURHOOD else end
    rows = [*reversed(below), *above]
    ranks = list(rank.spread(len(rows), low, high))
    await made.conn.execute(_RERANK, made.scope.tenant, [row.id for row in rows], ranks)
