"""Letters, and sweeping what nobody can use any more.

A letter's link is made by the job itself, so that no link ever stands in the queue; a second run makes another one.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, update

from zena.accounts.actions.invitations import VALID
from zena.accounts.actions.passwords import RESET_VALID, make_reset_link
from zena.accounts.actions.visits import end_visit, installation
from zena.accounts.letters import NOTICES, invitation_letter, notice_letter, reset_letter, visit_letter
from zena.accounts.models import Invitation, Membership, SupportVisit, UserAccount
from zena.accounts.queries.people import person
from zena.accounts.secrecy import digest, new_secret
from zena.kit.i18n import DEFAULT_LOCALE
from zena.kit.mail import Letter, MailRefused
from zena.kit.queue import JobWork, RejectJob
from zena.kit.registry import CronSpec, JobSpec
from zena.kit.throttle import sweep_throttle
from zena.kit.uow import enter_tenant, unit_of_work

_SWEEP: Final = text("SELECT gate.sweep()")
_LAPSED: Final = text("SELECT tenant_id, id, how FROM gate.lapsed_visits()")


async def mail_reset(work: JobWork, *, user_id: UUID) -> None:
    """Send a reset link, if this is somebody: the request did not say whether it is (C07)."""
    public_url = work.state.settings.public_url
    async with work.untenanted() as session:
        link = await make_reset_link(session, user=user_id, public_url=public_url)
        row = await person(session, user_id) if link else None
    if row is None or link is None:
        return
    minutes = int(RESET_VALID.total_seconds() // 60)
    await _send(
        work,
        reset_letter(to=row.email, name=row.name, locale=row.locale or DEFAULT_LOCALE, link=link, minutes=minutes),
    )


async def mail_invitation(work: JobWork, *, invitation_id: UUID) -> None:
    """Send an open invitation under a fresh link."""
    token = new_secret()
    async with work.transaction() as (session, scope):
        found = await session.scalar(
            update(Invitation)
            .where(Invitation.tenant_id == scope.tenant, Invitation.id == invitation_id, Invitation.state == "pending")
            .values(token_hash=digest(token), expires_at=func.now() + VALID)
            .returning(Invitation)
        )
        if found is None:
            return
        inviter = await session.scalar(
            select(UserAccount.name)
            .join(Membership, Membership.user_id == UserAccount.id)
            .where(Membership.tenant_id == scope.tenant, Membership.id == found.invited_by)
        )
    link = f"{work.state.settings.public_url}/invitation/{token}"
    letter = invitation_letter(
        to=found.email, firm=scope.tenant_name, inviter=inviter or scope.tenant_name, locale=scope.locale, link=link
    )
    await _send(work, letter)


async def mail_notice(work: JobWork, *, user_id: UUID, kind: str) -> None:
    """Tell somebody that their way in was changed (ASVS 6.3.7)."""
    if kind not in NOTICES:
        raise RejectJob(f"there is no notice {kind}")
    async with work.untenanted() as session:
        await enter_tenant(session, None, user_id)
        row = await person(session, user_id)
    if row is not None:
        url = work.state.settings.public_url
        locale = row.locale or DEFAULT_LOCALE
        await _send(work, notice_letter(to=row.email, name=row.name, locale=locale, kind=kind, public_url=url))


async def mail_visit(work: JobWork, *, visit_id: UUID, user_id: UUID) -> None:
    """Tell an owner or admin that an operator looks at their firm, and why."""
    async with work.transaction() as (session, scope):
        wanted = (SupportVisit.tenant_id == scope.tenant) & (SupportVisit.id == visit_id)
        visit = await session.scalar(select(SupportVisit).where(wanted))
        await enter_tenant(session, scope.tenant, user_id)
        row = await person(session, user_id)
    if visit is not None and row is not None:
        url = work.state.settings.public_url
        locale = row.locale or scope.locale
        letter = visit_letter(row.email, row.name, locale, scope=scope, visit=visit, zone=row.timezone, public_url=url)
        await _send(work, letter)


async def end_visits(work: JobWork) -> None:
    """Note the end of visits that are over by themselves. They open nothing since before."""
    async with work.untenanted() as session:
        lapsed = (await session.execute(_LAPSED)).all()
    for tenant, visit, how in lapsed:
        async with work.slots, unit_of_work(work.state.db) as session:
            await enter_tenant(session, tenant)
            await end_visit(session, installation(tenant, work.state.clock.now()), visit=visit, how=how)


async def sweep(work: JobWork) -> None:
    """Delete expired links, tickets, sessions, kept answers and old counters (H08)."""
    async with work.untenanted() as session:
        await session.execute(_SWEEP)
        await sweep_throttle(session)


async def _send(work: JobWork, letter: Letter) -> None:
    try:
        await work.state.mail.send(letter)
    except MailRefused as error:
        raise RejectJob(str(error)) from error


JOBS: Final = (
    JobSpec("accounts.mail_reset", mail_reset),
    JobSpec("accounts.mail_invitation", mail_invitation),
    JobSpec("accounts.mail_notice", mail_notice),
    JobSpec("accounts.mail_visit", mail_visit),
)
CRONS: Final = (
    CronSpec("accounts.end_visits", "* * * * *", end_visits),
    CronSpec("accounts.sweep", "17 * * * *", sweep),
)
