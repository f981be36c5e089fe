"""The second factor: one-time codes of an authenticator app, and recovery codes for those who lost it."""

import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import pyotp
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.events import RecoveryCodesMade, RecoveryCodeUsed, SecondFactorDisabled, SecondFactorEnabled
from zena.accounts.models import RecoveryCode, UserAccount
from zena.accounts.policy import check_fresh
from zena.accounts.queries.people import person
from zena.accounts.vault import CodeVault, SealBroken, Vault
from zena.kit.errors import Conflict, Invalid, Unauthorized
from zena.kit.events import record
from zena.kit.i18n import N_
from zena.kit.queue import enqueue
from zena.kit.scope import Identity, Scope
from zena.kit.state import State

ISSUER: Final = "Zena"
STEP: Final = 30
#: Clocks of phones drift: the code before and the one after are taken too.
_WINDOW: Final = (-1, 0, 1)
_DIGITS: Final = 6
_CODES: Final = 10
_CODE_LENGTH: Final = 16
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs, shown until a first code confirms it."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class UsedCode:
    """A code that was right and is used up. `left` counts recovery codes where one of them was used."""

    user: UUID
    left: int | None = None

    def record(self, session: AsyncSession, scope: Scope | None) -> None:
        if scope is not None and self.left is not None:
            record(session, scope, RecoveryCodeUsed(subject=self.user, left=self.left))


async def begin_second_factor(session: AsyncSession, state: State, identity: Identity) -> Enrolment:
    """Return a seed for an authenticator app; sign-in does not ask for codes before `enable_second_factor`.

    Asked again before that, it returns the same seed, so that a reloaded page does not outdate the app.
    """
    check_fresh(identity, state.clock.now())
    row = await person(session, identity.user, lock=True)
    if row is None:
        raise Unauthorized
    if row.totp_confirmed_at is not None:
        raise Conflict(N_("The second factor is on already."), code="SECOND_FACTOR_ON")
    if row.totp_secret is None:
        row.totp_secret = _vault(state).seal(identity.user, pyotp.random_base32().encode())
        row.totp_last_step = None
        await session.flush()
    seed = _seed(state, identity.user, row.totp_secret)
    return Enrolment(seed, pyotp.TOTP(seed).provisioning_uri(name=identity.email, issuer_name=ISSUER))


async def enable_second_factor(
    session: AsyncSession, state: State, identity: Identity, scope: Scope | None, *, code: str
) -> list[str]:
    """Turn the second factor on with a first code and return the recovery codes: shown once."""
    now = state.clock.now()
    check_fresh(identity, now)
    row = await person(session, identity.user, lock=True)
    if row is None or row.totp_secret is None or row.totp_confirmed_at is not None:
        raise Conflict(N_("Begin with a new code for your app."), code="SECOND_FACTOR_NOT_BEGUN")
    if not await _use_step(session, state, row, code):
        raise Invalid.field("code", N_("This code is not right. Is the clock of your phone?"), "wrong")
    row.totp_confirmed_at = now
    row.version += 1
    if scope is not None:
        record(session, scope, SecondFactorEnabled(subject=identity.user))
    await enqueue(session, None, "accounts.mail_notice", user_id=identity.user, kind="second_factor_enabled")
    return await _new_codes(session, state, identity.user)


async def disable_second_factor(session: AsyncSession, state: State, identity: Identity, scope: Scope | None) -> None:
    """Turn the second factor off; codes and seed are forgotten."""
    now = state.clock.now()
    check_fresh(identity, now)
    row = await person(session, identity.user, lock=True)
    if row is None or row.totp_confirmed_at is None:
        raise Conflict(N_("The second factor is off."), code="SECOND_FACTOR_OFF")
    row.totp_secret = row.totp_confirmed_at = row.totp_last_step = None
    row.version += 1
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == identity.user))
    if scope is not None:
        record(session, scope, SecondFactorDisabled(subject=identity.user))
    await enqueue(session, None, "accounts.mail_notice", user_id=identity.user, kind="second_factor_disabled")


async def renew_recovery_codes(
    session: AsyncSession, state: State, identity: Identity, scope: Scope | None
) -> list[str]:
    """Replace the recovery codes and return the new ones: shown once."""
    now = state.clock.now()
    check_fresh(identity, now)
    row = await person(session, identity.user, lock=True)
    if row is None or row.totp_confirmed_at is None:
        raise Conflict(N_("The second factor is off."), code="SECOND_FACTOR_OFF")
    if scope is not None:
        record(session, scope, RecoveryCodesMade(subject=identity.user))
    return await _new_codes(session, state, identity.user)


async def use_code(session: AsyncSession, state: State, *, user: UUID, code: str) -> UsedCode | None:
    """Use up a one-time code or a recovery code of the person the session is bound to; None if it is wrong or used."""
    plain = "".join(code.split()).replace("-", "").lower()
    if len(plain) == _DIGITS and plain.isdecimal():
        row = await person(session, user)
        right = row is not None and row.totp_confirmed_at is not None and await _use_step(session, state, row, plain)
        return UsedCode(user) if right else None
    if len(plain) != _CODE_LENGTH:
        return None
    if not await _use_recovery_code(session, state, user, plain):
        return None
    left = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user)
    return UsedCode(user, int(await session.scalar(left) or 0))


async def _use_step(session: AsyncSession, state: State, row: UserAccount, code: str) -> bool:
    """Tell whether a code is one of this moment, and use up its step: no code works twice (ASVS 6.5.1)."""
    totp = pyotp.TOTP(_seed(state, row.id, row.totp_secret or b""))
    now = int(state.clock.now().timestamp()) // STEP
    given = code.strip().encode()  # as bytes: of text, only ASCII can be compared
    right = [now + by for by in _WINDOW if hmac.compare_digest(totp.at((now + by) * STEP).encode(), given)]
    if not right:
        return False
    fresh = or_(UserAccount.totp_last_step.is_(None), UserAccount.totp_last_step < right[0])
    taken = update(UserAccount).where(UserAccount.id == row.id, fresh).values(totp_last_step=right[0])
    return await session.scalar(taken.returning(UserAccount.id)) is not None


async def _use_recovery_code(session: AsyncSession, state: State, user: UUID, code: str) -> bool:
    """Delete the stored code that this one is; False if there is none. What cannot be opened is none of theirs."""
    await person(session, user, lock=True)  # one of two equal codes at once; and nobody seals them anew meanwhile
    vault = CodeVault(state.ring())
    for stored in await session.scalars(select(RecoveryCode.code_hash).where(RecoveryCode.user_id == user)):
        with suppress(SealBroken):
            if vault.fits(user, stored, code):
                spent = delete(RecoveryCode).where(RecoveryCode.user_id == user, RecoveryCode.code_hash == stored)
                await session.execute(spent)
                return True
    return False


async def _new_codes(session: AsyncSession, state: State, user: UUID) -> list[str]:
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user))
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH)) for _ in range(_CODES)]
    vault = CodeVault(state.ring())
    session.add_all(RecoveryCode(user_id=user, code_hash=vault.seal(user, code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, _CODE_LENGTH, 4)) for code in codes]


def _seed(state: State, user: UUID, sealed: bytes) -> str:
    try:
        return _vault(state).open(user, sealed).decode()
    except SealBroken as error:
        message = N_("The second factor cannot be checked: its key is gone. Ask whoever runs the server.")
        raise Conflict(message, code="SECOND_FACTOR_UNREADABLE") from error


def _vault(state: State) -> Vault:
    return Vault(state.ring())
