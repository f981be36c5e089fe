"""Visits of support to the firm: what they opened, and ending one."""

from uuid import UUID

from litestar import delete, get
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.visits import end_visit_now
from zena.accounts.callers import AnyRequest
from zena.accounts.permissions import Permission
from zena.accounts.queries.visits import Visit, visit_page
from zena.kit.access import may
from zena.kit.pages import Page, page_limit, page_of
from zena.kit.scope import Scope
from zena.kit.state import state_of


@get("/api/v1/app/support-visits", opt=may(Permission.SETTINGS_MANAGE))
async def visits(
    request: AnyRequest,
    session: AsyncSession,
    actor: Scope,
    limit: FromQuery[int | None] = None,
    cursor: FromQuery[str | None] = None,
) -> Page[Visit]:
    """Who of this installation's staff looked at the firm, why, until when, and what they opened; newest first."""
    cursors, listing, size = state_of(request).cursors, f"{actor.tenant}:visits", page_limit(limit)
    rows = await visit_page(session, actor, limit=size, values=cursors.open(listing, cursor) if cursor else ())
    return page_of(rows, size, lambda row: cursors.seal(listing, (row.began_at, row.id)))


@delete("/api/v1/app/support-visits/{visit_id:uuid}", opt=may(Permission.SETTINGS_MANAGE))
async def end_visit(session: AsyncSession, actor: Scope, visit_id: FromPath[UUID]) -> None:
    """End a visit now; one that is over stays as it ended."""
    await end_visit_now(session, actor, visit=visit_id)


ROUTES = [visits, end_visit]
