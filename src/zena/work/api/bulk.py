"""Many tasks changed in one go, and taken back as one step."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import UNSET, Meta, UnsetType, field
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.errors import plain_text
from zena.kit.problems import AnyRequest, note_missing
from zena.kit.scope import Scope
from zena.work.actions.bulk import MAX_IDS, Wish, change_tasks
from zena.work.actions.undo import BulkResult, Outcome, undo_bulk
from zena.work.api.answers import Body
from zena.work.api.bodies import Ids
from zena.work.api.task_steps import picked


class BulkFields(Body, kw_only=True):
    """Fields that every task gets; null empties one that may be empty."""

    priority: str | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET
    start_on: date | UnsetType | None = UNSET
    due_on: date | UnsetType | None = UNSET
    estimate_min: int | UnsetType | None = UNSET
    internal: bool | UnsetType = UNSET


class BulkPeople(Body, kw_only=True):
    """The whole list as `assignees`, or what to `add` and `remove`."""

    assignees: Ids | None = None
    add: Ids = field(default_factory=list)
    remove: Ids = field(default_factory=list)


class BulkLabels(Body, kw_only=True):
    """The whole list as `labels`, or what to `add` and `remove`."""

    labels: Ids | None = None
    add: Ids = field(default_factory=list)
    remove: Ids = field(default_factory=list)


class BulkChange(Body, kw_only=True):
    """Up to 1,000 tasks and what is wanted of each. `versions`, by task, refuses those that changed since."""

    ids: Annotated[list[UUID], Meta(min_length=1, max_length=MAX_IDS)]
    versions: dict[UUID, int] | None = None
    status: str | None = None
    reason: str | None = None
    set: BulkFields | None = None
    assign: BulkPeople | None = None
    label: BulkLabels | None = None
    trash: bool = False
    restore: bool = False

    def wish(self) -> Wish:
        assign, label = self.assign, self.label
        return Wish(
            status=self.status,
            reason=self.reason,
            set=self.set.given() if self.set else {},
            assign=picked("assign.assignees", assign.assignees, assign.add, assign.remove) if assign else None,
            label=picked("label.labels", label.labels, label.add, label.remove) if label else None,
            trash=self.trash,
            restore=self.restore,
        )


class BulkOutcome(msgspec.Struct, frozen=True):
    """What became of each task, in the order asked. `bulk/{id}/undo` takes the change back; null: none was made."""

    id: UUID | None
    changed: int
    refused: int
    data: list[Outcome]


@post("/api/v1/app/tasks/bulk", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def bulk(request: AnyRequest, session: AsyncSession, actor: Scope, data: BulkChange) -> Response[BulkOutcome]:
    """Change many tasks; what is refused for one leaves the others as wished."""
    result = await change_tasks(session, actor, ids=data.ids, wish=data.wish(), versions=data.versions)
    note_missing(request, result.refused)
    return _answer(result)


@post("/api/v1/app/tasks/bulk/{bulk_id:uuid}/undo", opt=may(Permission.TASKS_UPDATE), status_code=200)
async def undo(session: AsyncSession, actor: Scope, bulk_id: FromPath[UUID]) -> Response[BulkOutcome]:
    """Take a bulk change back, once; tasks changed since are left and told."""
    return _answer(await undo_bulk(session, actor, bulk_id=bulk_id))


def _answer(result: BulkResult) -> Response[BulkOutcome]:
    fine = sum(outcome.ok for outcome in result.outcomes)
    return Response(BulkOutcome(result.id, fine, len(result.outcomes) - fine, [_plain(o) for o in result.outcomes]))


def _plain(outcome: Outcome) -> Outcome:
    """Return an outcome in the API's language."""
    message = None if outcome.message is None else plain_text(outcome.message)
    return replace(outcome, message=message, warnings=[plain_text(one) for one in outcome.warnings])


ROUTES = [bulk, undo]
