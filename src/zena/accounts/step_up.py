"""What an operator proves before the console opens: a second factor, asked for a short while ago."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.models import UserAccount
from zena.accounts.policy import check_browser
from zena.kit.scope import Identity

#: For how long after a password and a code the console stays open.
OPERATOR_FRESH: Final = timedelta(minutes=15)


class StepUp(StrEnum):
    """What is still to be done: turn the second factor on, or prove with it who one is."""

    ENROL = "enrol"
    CONFIRM = "confirm"


async def missing_step(session: AsyncSession, identity: Identity, now: datetime) -> StepUp | None:
    """Return what a signed-in person still has to do; None when nothing. Forbidden for API tokens.

    A session that was opened before the second factor was turned on has proved a password only.
    """
    check_browser(identity)
    enrolled = await session.scalar(select(UserAccount.totp_confirmed_at).where(UserAccount.id == identity.user))
    if enrolled is None:
        return StepUp.ENROL
    proved = identity.authenticated_at
    if proved is None or proved < enrolled or now - proved >= OPERATOR_FRESH:
        return StepUp.CONFIRM
    return None
