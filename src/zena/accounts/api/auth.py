"""Signing in and out, and passwords. None of these is replayed by idempotency keys."""

from typing import Annotated

import msgspec
from litestar import Response, post
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import passwords, sessions, sign_in
from zena.accounts.api.shapes import Body, SignedIn, signed_in_answer
from zena.accounts.callers import AnyRequest, caller_of
from zena.accounts.cookies import no_cookie, session_cookie
from zena.accounts.credentials import cookie_name
from zena.accounts.entry import Entered
from zena.accounts.policy import check_browser
from zena.kit.access import in_tenant, public, signed_in
from zena.kit.realtime import tickets
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of
from zena.kit.visit import visit_of

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Address = Annotated[str, msgspec.Meta(min_length=3, max_length=320)]


class Login(Body):
    email: Address
    password: Secret


class Code(Body):
    """A code of the authenticator app, or a recovery code."""

    code: Annotated[str, msgspec.Meta(min_length=6, max_length=40)]


class Confirmation(Body):
    """What sign-in asks for, once more. `code` where the second factor is on."""

    password: Secret
    code: str | None = None


class NewPassword(Body):
    current: Annotated[str, msgspec.Meta(max_length=4096)]
    new: Secret


class ResetWish(Body):
    email: Address


class Reset(Body):
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Secret


class Ticket(msgspec.Struct):
    """Shown once, in the first frame of a socket, within `expires_in` seconds."""

    ticket: str
    expires_in: int


@post("/api/v1/auth/login", opt=public(), status_code=200)
async def login(request: AnyRequest, session: AsyncSession, visitor: Entered, data: Login) -> Response[SignedIn]:
    """Sign in with address and password."""
    caller = caller_of(request, visitor)
    opened = await sign_in.sign_in(session, state_of(request), email=data.email, password=data.password, caller=caller)
    return signed_in_answer(request, opened)


@post("/api/v1/auth/mfa", opt=public(), status_code=200)
async def mfa(request: AnyRequest, session: AsyncSession, data: Code) -> Response[SignedIn]:
    """Finish a sign-in with the second factor."""
    state = state_of(request)
    cookie = request.cookies.get(cookie_name(state))
    opened = await sign_in.pass_second_factor(session, state, cookie=cookie, code=data.code, caller=caller_of(request))
    return signed_in_answer(request, opened)


@post("/api/v1/auth/logout", opt=signed_in(), status_code=204)
async def logout(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> Response[None]:
    """End this session."""
    await sessions.end_session(session, identity, visitor.scope, target=check_browser(identity))
    return Response(None, status_code=204, cookies=[no_cookie(state_of(request))])


@post("/api/v1/auth/confirmation", opt=signed_in(), status_code=200)
async def confirm(
    request: AnyRequest, session: AsyncSession, identity: Identity, data: Confirmation
) -> Response[SignedIn]:
    """Prove again who you are; sensitive changes are open for ten minutes."""
    opened = await sign_in.confirm_identity(
        session, state_of(request), identity, password=data.password, code=data.code
    )
    return signed_in_answer(request, opened)


@post("/api/v1/auth/password", opt=signed_in(), status_code=204)
async def change_password(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered, data: NewPassword
) -> Response[None]:
    """Change the own password; all other sessions end."""
    state = state_of(request)
    opened = await passwords.change_password(
        session, state, identity, visitor.scope, current=data.current, new=data.new
    )
    return Response(None, status_code=204, cookies=[session_cookie(state, opened)])


@post("/api/v1/auth/password/reset-request", opt=public(), status_code=202)
async def ask_for_reset(request: AnyRequest, session: AsyncSession, data: ResetWish) -> None:
    """Have a letter with a reset link sent. The answer is the same whether or not the address has an account."""
    client = visit_of(request.scope).client
    await passwords.request_reset(session, state_of(request), email=data.email, ip=client)


@post("/api/v1/auth/password/reset", opt=public(), status_code=204)
async def reset_password(request: AnyRequest, session: AsyncSession, data: Reset) -> None:
    """Choose a new password with a reset link's token. Nobody is signed in by it; the second factor stays."""
    now = state_of(request).clock.now()
    caller = caller_of(request)
    await passwords.reset_password(session, token=data.token, new=data.password, caller=caller, at=now)


@post("/api/v1/auth/ticket", opt=in_tenant(), status_code=200)
async def ticket(session: AsyncSession, actor: Scope) -> Ticket:
    """Get a one-time ticket for a socket."""
    return Ticket(await tickets.issue(session, actor), tickets.LIFETIME)


ROUTES = [login, mfa, logout, confirm, change_password, ask_for_reset, reset_password, ticket]
