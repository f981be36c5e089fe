"""Turning the second factor on and off. Every step wants a fresh confirmation of who one is."""

from itertools import groupby
from typing import Any

import segno
from litestar import Response, post
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import codes
from zena.accounts.entry import Entered
from zena.accounts.web.forms import one
from zena.accounts.web.ways import AnyRequest, ask_again
from zena.kit.access import signed_in
from zena.kit.errors import Invalid
from zena.kit.html import page, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Identity
from zena.kit.state import state_of

BEGIN, CODES, BACK = "profile/second_factor.html", "profile/recovery_codes.html", "/profile/security"


@post("/profile/second-factor", opt=signed_in(), status_code=200)
async def begin(request: AnyRequest, session: AsyncSession, identity: Identity) -> Response[str]:
    again = ask_again(request, identity, BACK)
    if again:
        return again
    begun = await codes.begin_second_factor(session, state_of(request), identity)
    return await page(request, session, BEGIN, begun=begun, picture=qr_path(begun.uri))


@post("/profile/second-factor/confirmation", opt=signed_in(), status_code=200)
async def enable(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    again = ask_again(request, identity, BACK)
    if again:
        return again
    form = await request.form()
    state = state_of(request)
    begun = await codes.begin_second_factor(session, state, identity)
    known: dict[str, Any] = {"begun": begun, "picture": qr_path(begun.uri)}
    async with refusing(request, session, BEGIN, form, catch=(Invalid,), **known):
        made = await codes.enable_second_factor(session, state, identity, visitor.scope, code=one(form, "code"))
    return await page(request, session, CODES, codes=made)


@post("/profile/second-factor/removal", opt=signed_in(), status_code=303)
async def disable(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    again = ask_again(request, identity, BACK)
    if again:
        return again
    await codes.disable_second_factor(session, state_of(request), identity, visitor.scope)
    return see_other(request, BACK, toast=N_("Sign-in no longer asks for a code."))


@post("/profile/recovery-codes", opt=signed_in(), status_code=200)
async def renew(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[str]:
    again = ask_again(request, identity, BACK)
    if again:
        return again
    made = await codes.renew_recovery_codes(session, state_of(request), identity, visitor.scope)
    return await page(request, session, CODES, codes=made)


def qr_path(text: str) -> tuple[int, str]:
    """Return the side of a QR code in modules and its dark parts as an SVG path: one stroke per run in a row."""
    symbol = segno.make(text, error="m", micro=False)
    rows = list(symbol.matrix_iter(border=4))
    parts = []
    for y, row in enumerate(rows):
        x = 0
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                parts.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return len(rows), "".join(parts)


ROUTES = [begin, enable, disable, renew]
