"""Visits of support: the only way an operator sees what stands in a firm.

With a reason and a limit, told to the firm, written down there page by page, and read only. No membership is made: the
session itself points to the visit, so a session has one at most, and it ends with the session.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.sessions import Opened, renew_session
from zena.accounts.events import SupportBegan, SupportEnded, SupportLooked
from zena.accounts.models import AuditEntry, Membership, SupportVisit, Tenant, UserAccount
from zena.accounts.permissions import Permission, Role
from zena.accounts.policy import check_browser
from zena.accounts.queries.people import SERVED
from zena.accounts.step_up import missing_step
from zena.kit.db import Database
from zena.kit.errors import Conflict, Forbidden, Invalid, NotFound
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.queue import enqueue
from zena.kit.scope import Identity, Scope
from zena.kit.text import required_text
from zena.kit.uow import enter_tenant, ledger

#: For how many minutes a visit may be asked for.
LIMITS: Final = (15, 60, 240)
_SHORTEST: Final = 10
_LONGEST: Final = 500
#: The same page is noted again after so long.
_AGAIN: Final = timedelta(minutes=1)
_TOLD: Final = (Role.OWNER, Role.ADMIN)
_PATH_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asks for: which firm, why, for how many minutes."""

    tenant: UUID
    reason: str
    minutes: str


async def begin_visit(session: AsyncSession, identity: Identity, wish: Wish, *, at: datetime) -> Opened:
    """Let an operator's own session look at a firm, under a new value, and tell the firm.

    Forbidden without a second factor proved just now; NotFound, Conflict for a firm that is gone or not served.
    """
    check_browser(identity)
    if not identity.is_operator or await missing_step(session, identity, at):
        raise Forbidden("operator")
    reason, length = _checked(wish)
    await enter_tenant(session, wish.tenant, identity.user)
    firm = await session.scalar(select(Tenant).where(Tenant.id == wish.tenant))
    if firm is None:
        raise NotFound.of("tenant")
    if firm.status not in SERVED:
        raise Conflict(N_("The firm is not served at present: nobody can come in."))
    scope = _outside(identity, firm, at)
    visit, ends_at = new_id(), func.now() + length
    row = SupportVisit(
        tenant_id=firm.id,
        id=visit,
        operator_id=identity.user,
        operator_name=identity.name,
        reason=reason,
        ends_at=ends_at,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    record(
        session, scope, SupportBegan(subject=visit, operator=identity.name, reason=reason, ends_at=row.ends_at),
        after={"operator": identity.name, "reason": reason, "ends_at": row.ends_at},
    )  # fmt: skip
    await _tell(session, firm.id, visit)
    return replace(await renew_session(session, identity, visit_tenant=firm.id, visit_id=visit), scope=scope)


async def leave_visit(session: AsyncSession, identity: Identity, scope: Scope | None) -> Opened:
    """End the visit the present session makes, if it still makes one, under a new value."""
    if scope is not None and scope.support is not None:
        await end_visit(session, scope, visit=scope.support.visit, how="left")
    return await renew_session(session, identity, visit_tenant=None, visit_id=None)


async def end_visit_now(session: AsyncSession, scope: Scope, *, visit: UUID) -> None:
    """End a visit to one's own firm; one that is over already stays as it ended. NotFound for what is no visit here."""
    scope.require(Permission.SETTINGS_MANAGE)
    known = select(SupportVisit.id).where(SupportVisit.tenant_id == scope.tenant, SupportVisit.id == visit)
    if await session.scalar(known) is None:
        raise NotFound
    await end_visit(session, scope, visit=visit, how="firm")


async def end_visit(session: AsyncSession, scope: Scope, *, visit: UUID, how: str) -> bool:
    """Note that a visit of the scope's firm is over; from this commit on it opens nothing. False if it was over."""
    operator = await session.scalar(
        update(SupportVisit)
        .where(SupportVisit.tenant_id == scope.tenant, SupportVisit.id == visit, SupportVisit.ended_at.is_(None))
        .values(ended_at=func.least(func.now(), SupportVisit.ends_at), ended_how=how)
        .returning(SupportVisit.operator_name)
    )
    if operator is None:
        return False
    record(
        session, scope, SupportEnded(subject=visit, operator=operator, how=how),
        after={"operator": operator, "how": how},
    )  # fmt: skip
    return True


async def note_look(db: Database, scope: Scope, method: str, path: str) -> None:
    """Write into the firm's record what a visitor asks for, before they are shown it; once a minute for the same.

    Locks the visit: the requests of one page come together. Forbidden if it was ended meanwhile.
    """
    if scope.support is None:
        return
    visit, opened = scope.support.visit, f"{method} {path[:_PATH_LENGTH]}"
    async with ledger(db) as session:
        await enter_tenant(session, scope.tenant, scope.user)
        operator = await session.scalar(
            select(SupportVisit.operator_name)
            .where(SupportVisit.tenant_id == scope.tenant, SupportVisit.id == visit, SupportVisit.ended_at.is_(None))
            .with_for_update()
        )
        if operator is None:
            raise Forbidden(detail=N_("This visit has ended."), code="NO_TENANT_ACCESS")
        noted = select(AuditEntry.id).where(
            AuditEntry.tenant_id == scope.tenant,
            AuditEntry.subject_id == visit,
            AuditEntry.action == SupportLooked.type,
            AuditEntry.at > (scope.at - _AGAIN).isoformat(),
            AuditEntry.after["opened"].astext == opened,
        )
        if await session.scalar(noted.limit(1)) is None:
            after = {"operator": operator, "opened": opened}
            record(session, scope, SupportLooked(subject=visit, operator=operator, opened=opened), after=after)


def _checked(wish: Wish) -> tuple[str, timedelta]:
    reason = " ".join(required_text(wish.reason, "reason", _LONGEST).split())
    if len(reason) < _SHORTEST:
        short = N_("At least %(count)s characters: the firm reads it.", count=_SHORTEST)
        raise Invalid.field("reason", short, "too_short")
    if wish.minutes not in {str(minutes) for minutes in LIMITS}:
        raise Invalid.field("minutes", N_("Choose one of these."), "choice")
    return reason, timedelta(minutes=int(wish.minutes))


async def _tell(session: AsyncSession, tenant: UUID, visit: UUID) -> None:
    """Queue a letter to each owner and admin."""
    people = await session.scalars(
        select(Membership.user_id)
        .join(UserAccount, UserAccount.id == Membership.user_id)
        .where(Membership.tenant_id == tenant, Membership.ended_at.is_(None), Membership.role.in_(_TOLD))
        .where(UserAccount.is_active)
        .order_by(Membership.id)
    )
    for user in people.all():
        await enqueue(session, tenant, "accounts.mail_visit", visit_id=visit, user_id=user)


def installation(tenant: UUID, at: datetime) -> Scope:
    """Return the scope in which the installation itself notes something in a firm."""
    return Scope(tenant=tenant, member=None, user=None, role="system", permissions=frozenset(), timezone="UTC", at=at)


def _outside(identity: Identity, firm: Tenant, at: datetime) -> Scope:
    """Return who begins a visit: an operator, who is nobody in the firm."""
    return replace(
        installation(firm.id, at),
        user=identity.user,
        tenant_name=firm.name,
        tenant_slug=firm.slug,
        identity=identity,
        request_id=identity.request_id,
        ip=identity.ip,
    )
