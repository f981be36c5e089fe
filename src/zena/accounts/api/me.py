"""The person who is signed in: profile, firms, sessions, second factor."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.actions import codes, people, sessions
from zena.accounts.api.shapes import Body, SignedIn, signed_in_answer
from zena.accounts.callers import AnyRequest
from zena.accounts.cookies import no_cookie
from zena.accounts.entry import Entered
from zena.accounts.policy import check_browser
from zena.accounts.queries.people import Firm, OwnSession, SecondFactor, firms_of, own_sessions, second_factor
from zena.kit.access import signed_in
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.kit.versions import etag, wanted_version


class Me(msgspec.Struct, kw_only=True):
    """The caller, and what they may do in the firm they act in."""

    user: people.Profile
    tenant: UUID | None
    member: UUID | None
    role: str | None
    permissions: list[str]


class ProfileChange(Body):
    """Null for locale or timezone: that of the firm."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    locale: str | msgspec.UnsetType | None = msgspec.UNSET
    timezone: str | msgspec.UnsetType | None = msgspec.UNSET
    theme: str | msgspec.UnsetType = msgspec.UNSET


class FirmList(msgspec.Struct):
    data: list[Firm]


class SessionList(msgspec.Struct):
    data: list[OwnSession]


class Enrolment(msgspec.Struct):
    """What an authenticator app needs: the seed, and the same as an address for a QR code."""

    secret: str
    uri: str


class FirstCode(Body):
    code: Annotated[str, msgspec.Meta(min_length=6, max_length=10)]


class RecoveryCodes(msgspec.Struct):
    """Shown once. Each opens the account one time without the app."""

    recovery_codes: list[str]


@get("/api/v1/me", opt=signed_in())
async def me(session: AsyncSession, identity: Identity, visitor: Entered) -> Response[Me]:
    """Who you are and what you may do."""
    profile = await people.profile(session, identity)
    scope = visitor.scope
    body = Me(
        user=profile,
        tenant=scope.tenant if scope else None,
        member=scope.member if scope else None,
        role=scope.role if scope else None,
        permissions=sorted(scope.permissions) if scope else [],
    )
    return Response(body, headers=etag(profile.version))


@patch("/api/v1/me", opt=signed_in())
async def change_me(
    request: AnyRequest, session: AsyncSession, identity: Identity, data: ProfileChange
) -> Response[people.Profile]:
    """Change name, language, time zone or colours."""
    given = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not msgspec.UNSET}
    version = wanted_version(request)
    profile = await people.change_profile(session, identity, changes=given, version=version)
    return Response(profile, headers=etag(profile.version))


@get("/api/v1/me/tenants", opt=signed_in())
async def tenants(session: AsyncSession, identity: Identity, visitor: Entered) -> FirmList:
    """The firms you belong to."""
    return FirmList(await firms_of(session, identity.user, visitor.scope.tenant if visitor.scope else None))


@post("/api/v1/me/tenants/{tenant_id:uuid}/activation", opt=signed_in(), status_code=200)
async def activate(
    request: AnyRequest, session: AsyncSession, identity: Identity, tenant_id: FromPath[UUID]
) -> Response[SignedIn]:
    """Act in another of your firms from now on."""
    now = state_of(request).clock.now()
    return signed_in_answer(request, await sessions.switch_tenant(session, identity, tenant=tenant_id, at=now))


@get("/api/v1/me/sessions", opt=signed_in())
async def session_list(session: AsyncSession, identity: Identity) -> SessionList:
    """Where you are signed in."""
    check_browser(identity)
    return SessionList(await own_sessions(session, identity))


@delete("/api/v1/me/sessions/{session_id:uuid}", opt=signed_in())
async def end_session(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered, session_id: FromPath[UUID]
) -> Response[None]:
    """End one of your sessions."""
    await sessions.end_session(session, identity, visitor.scope, target=session_id)
    cookies = [no_cookie(state_of(request))] if session_id == identity.session else []
    return Response(None, status_code=204, cookies=cookies)


@delete("/api/v1/me/sessions", opt=signed_in())
async def end_others(session: AsyncSession, identity: Identity, visitor: Entered) -> None:
    """End all of your sessions except this one."""
    await sessions.end_other_sessions(session, identity, visitor.scope, reason="revoked")


@get("/api/v1/me/mfa", opt=signed_in())
async def mfa_state(session: AsyncSession, identity: Identity) -> SecondFactor:
    """Whether the second factor is on."""
    return await second_factor(session, identity)


@post("/api/v1/me/mfa", opt=signed_in(), status_code=200)
async def mfa_begin(request: AnyRequest, session: AsyncSession, identity: Identity) -> Enrolment:
    """Get a seed for an authenticator app."""
    begun = await codes.begin_second_factor(session, state_of(request), identity)
    return Enrolment(begun.secret, begun.uri)


@post("/api/v1/me/mfa/confirmation", opt=signed_in(), status_code=200)
async def mfa_enable(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered, data: FirstCode
) -> RecoveryCodes:
    """Turn the second factor on with a first code."""
    made = await codes.enable_second_factor(session, state_of(request), identity, visitor.scope, code=data.code)
    return RecoveryCodes(made)


@delete("/api/v1/me/mfa", opt=signed_in())
async def mfa_disable(request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered) -> None:
    """Turn the second factor off."""
    await codes.disable_second_factor(session, state_of(request), identity, visitor.scope)


@post("/api/v1/me/mfa/recovery-codes", opt=signed_in(), status_code=200)
async def mfa_recovery(
    request: AnyRequest, session: AsyncSession, identity: Identity, visitor: Entered
) -> RecoveryCodes:
    """Replace the recovery codes."""
    return RecoveryCodes(await codes.renew_recovery_codes(session, state_of(request), identity, visitor.scope))


ROUTES = [
    me,
    change_me,
    tenants,
    activate,
    session_list,
    end_session,
    end_others,
    mfa_state,
    mfa_begin,
    mfa_enable,
    mfa_disable,
    mfa_recovery,
]
