"""Offers to join a firm: made for one address, good for a week, taken once."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions.members import add_member
from zena.accounts.actions.people import create_user
from zena.accounts.actions.sessions import Caller, Opened, open_session
from zena.accounts.events import (
    InvitationAccepted,
    InvitationCreated,
    InvitationDeclined,
    InvitationRenewed,
    InvitationRevoked,
)
from zena.accounts.models import Invitation, Membership, UserAccount
from zena.accounts.passwords import check_new_password, hash_password
from zena.accounts.permissions import Permission
from zena.accounts.policy import access_invitation, check_browser, check_role
from zena.accounts.queries.invitations import Offer, offer_of, open_invitation
from zena.accounts.queries.invitations import Opened as Letter
from zena.accounts.queries.people import user_by_email
from zena.accounts.secrecy import digest, new_secret
from zena.kit.errors import Conflict, Forbidden, NotFound
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.ids import new_id
from zena.kit.queue import enqueue
from zena.kit.scope import Identity, Scope
from zena.kit.state import State
from zena.kit.text import email_address
from zena.kit.uow import enter_tenant

VALID: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invited:
    """A new offer. `link` is None where a letter carries it; else the inviter passes it on: it is not shown again."""

    offer: Offer
    link: str | None


async def invite(session: AsyncSession, scope: Scope, state: State, *, email: str, role: str) -> Invited:
    """Offer membership to an address; one open offer per address."""
    scope.require(Permission.MEMBERS_MANAGE)
    address = email_address(email)
    wanted = check_role(scope, role)
    await _check_not_member(session, scope, address)
    await session.execute(
        update(Invitation)
        .where(
            Invitation.tenant_id == scope.tenant,
            Invitation.email == address,
            Invitation.state == "pending",
            Invitation.expires_at <= func.now(),
        )
        .values(state="expired", decided_at=func.now())
    )
    token = new_secret()
    made = Invitation(
        tenant_id=scope.tenant,
        id=new_id(),
        email=address,
        role=wanted,
        token_hash=digest(token),
        state="pending",
        invited_by=scope.member,
        expires_at=func.now() + VALID,
    )
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        message = N_("This address has an open invitation. Send that one again, or revoke it first.")
        raise Conflict(message, code="INVITATION_PENDING") from error
    await session.refresh(made)
    record(session, scope, InvitationCreated(subject=made.id, email=address, role=wanted))
    return Invited(offer_of(made), await _hand_over(session, scope, state, made, token))


async def renew_invitation(session: AsyncSession, scope: Scope, state: State, *, invitation: UUID) -> Invited:
    """Make a new link for an open offer and a new week; the former link is dead."""
    found = await access_invitation(session, scope, invitation)
    token = new_secret()
    found.token_hash, found.expires_at = digest(token), func.now() + VALID
    await session.flush()
    await session.refresh(found)
    record(session, scope, InvitationRenewed(subject=found.id, email=found.email))
    return Invited(offer_of(found), await _hand_over(session, scope, state, found, token))


async def revoke_invitation(session: AsyncSession, scope: Scope, *, invitation: UUID) -> None:
    """Take an open offer back."""
    found = await access_invitation(session, scope, invitation)
    found.state, found.decided_at = "revoked", func.now()
    record(session, scope, InvitationRevoked(subject=found.id, email=found.email))


async def look_at_invitation(session: AsyncSession, identity: Identity | None, *, token: str) -> Letter:
    """Return the offer behind a link; InvitationGone in one wording for used, revoked, expired and unknown."""
    letter = await open_invitation(session, token, identity.user if identity else None)
    if letter is None:
        raise _gone()
    return letter


async def accept_invitation(session: AsyncSession, identity: Identity, *, token: str, caller: Caller) -> UUID:
    """Join as the person who is signed in, if the offer is for their address; return the firm."""
    check_browser(identity)
    letter = await open_invitation(session, token, identity.user, lock=True)
    if letter is None:
        raise _gone()
    if letter.email != identity.email:
        raise Forbidden(detail=N_("This invitation is for another address."), code="INVITATION_FOR_ANOTHER")
    await _join(session, letter, identity.user, caller)
    return letter.tenant


async def accept_as_new(
    session: AsyncSession, state: State, *, token: str, name: str, password: str, caller: Caller
) -> Opened:
    """Make an account for the invited address, join with it and sign in."""
    letter = await open_invitation(session, token, None)
    if letter is None:
        raise _gone()
    check_new_password(password, "password", about=(letter.email, name, letter.tenant_name))
    hashed = await hash_password(password)
    if await user_by_email(session, letter.email) is not None:
        raise Conflict(N_("This address has an account. Sign in with it, then accept."), code="EMAIL_TAKEN")
    user = await create_user(session, email=letter.email, name=name, password_hash=hashed)
    locked = await open_invitation(session, token, user, lock=True)
    if locked is None:
        raise _gone()
    await _join(session, locked, user, caller)
    return await open_session(session, user, state.settings, caller, at=state.clock.now())


async def decline_invitation(session: AsyncSession, *, token: str, caller: Caller) -> None:
    """Turn an offer down; whoever holds the link may."""
    letter = await open_invitation(session, token, None, lock=True)
    if letter is None:
        raise _gone()
    await _decide(session, letter, "declined")
    record(session, _nobody(letter, caller), InvitationDeclined(subject=letter.id, email=letter.email))


async def _hand_over(session: AsyncSession, scope: Scope, state: State, made: Invitation, token: str) -> str | None:
    """Have a letter written, or without a mail server return the link for the inviter to pass on."""
    if state.settings.smtp_url is None:
        return f"{state.settings.public_url}/invitation/{token}"
    await enqueue(session, scope, "accounts.mail_invitation", invitation_id=made.id)
    return None


async def _check_not_member(session: AsyncSession, scope: Scope, address: str) -> None:
    present = (
        select(Membership.id)
        .join(UserAccount, UserAccount.id == Membership.user_id)
        .where(Membership.tenant_id == scope.tenant, Membership.ended_at.is_(None), UserAccount.email == address)
    )
    if await session.scalar(present) is not None:
        raise Conflict(N_("This person is a member already."), code="ALREADY_MEMBER")


async def _join(session: AsyncSession, letter: Letter, user: UUID, caller: Caller) -> None:
    await enter_tenant(session, letter.tenant, user)
    outside = _nobody(letter, caller)
    member = await add_member(session, outside, user=user, role=letter.role)
    await _decide(session, letter, "accepted")
    record(session, replace(outside, member=member.id), InvitationAccepted(subject=letter.id, member=member.id))


async def _decide(session: AsyncSession, letter: Letter, state: str) -> None:
    await session.execute(
        update(Invitation)
        .where(Invitation.tenant_id == letter.tenant, Invitation.id == letter.id)
        .values(state=state, decided_at=func.now())
    )


def _nobody(letter: Letter, caller: Caller) -> Scope:
    """Return the scope in which somebody who is no member yet acts on their invitation."""
    return Scope(
        tenant=letter.tenant,
        member=None,
        user=None,
        role=letter.role,
        permissions=frozenset(),
        timezone="UTC",
        locale=letter.locale,
        request_id=caller.request_id,
        ip=caller.ip,
    )


def _gone() -> NotFound:
    return NotFound(N_("This invitation was used, taken back or is too old. Ask for another."), code="INVITATION_GONE")
