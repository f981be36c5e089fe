"""Suspending a firm and serving it again. Whoever is in is out within two seconds; nothing is deleted."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from zena.kit.changes import record as note
from zena.kit.db import raw
from zena.kit.errors import Conflict
from zena.kit.events import record
from zena.kit.state import State
from zena.kit.uow import unit_of_work
from zena.operate.events import TenantResumed, TenantSuspended
from zena.operate.sessions import operations
from zena.operate.tenants.firms import Firm, firm_called

SUSPENDED: Final = "suspended"
#: What a firm becomes whose deletion has begun: it cannot be served again.
CLOSED: Final = "inactive"
_SET: Final = text("UPDATE tenant SET status = :status WHERE id = :id")
_TRIAL: Final = text("SELECT trial_ends_at IS NOT NULL FROM tenant WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: `changed` is False where all stood so already."""

    firm: Firm
    changed: bool


async def suspend(state: State, slug: str, reason: str, actor: str) -> Done:
    """Serve a firm no more. Suspending a suspended firm is a no-op; one that is being deleted raises Conflict."""
    async with operations(state) as db, unit_of_work(db) as session:
        firm = await firm_called(session, slug, lock=True)
        _check_not_going(firm)
        if firm.status == SUSPENDED:
            return Done(firm, changed=False)
        await session.execute(_SET, {"status": SUSPENDED, "id": firm.id})
        record(session, firm.system(state.clock), TenantSuspended(subject=firm.id, reason=reason))
        after = {"tenant": firm.id, "slug": firm.slug, "reason": reason}
        await note(await raw(session), "remedy", "tenant suspend", actor=actor, after=after)
    return Done(firm, changed=True)


async def resume(state: State, slug: str, actor: str) -> Done:
    """Serve a firm again, on trial if it was. Resuming one that is served is a no-op."""
    async with operations(state) as db, unit_of_work(db) as session:
        firm = await firm_called(session, slug, lock=True)
        _check_not_going(firm)
        if firm.status != SUSPENDED:
            return Done(firm, changed=False)
        status = "trial" if await session.scalar(_TRIAL, {"id": firm.id}) else "active"
        await session.execute(_SET, {"status": status, "id": firm.id})
        record(session, firm.system(state.clock), TenantResumed(subject=firm.id))
        after = {"tenant": firm.id, "slug": firm.slug}
        await note(await raw(session), "remedy", "tenant resume", actor=actor, after=after)
    return Done(firm, changed=True)


def _check_not_going(firm: Firm) -> None:
    if firm.status == CLOSED:
        raise Conflict(f"{firm.slug} is being deleted: `zena tenant delete {firm.slug}` goes on with it")
