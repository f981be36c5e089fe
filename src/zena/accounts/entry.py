"""The one door: how a request becomes a person, a tenant and what they may do. Sessions, tokens, sockets pass here."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.credentials import credential_of, unknown
from zena.accounts.idempotency import begin, keep
from zena.accounts.permissions import permissions_of
from zena.accounts.queries.people import SERVED
from zena.accounts.visiting import look, may_write
from zena.kit.access import Access, Door, access_of
from zena.kit.csrf import SAFE_METHODS, check_form_token, given_form_token
from zena.kit.errors import Forbidden, Unauthorized
from zena.kit.scope import Identity, Scope, SupportAccess, Visitor
from zena.kit.state import State, state_of
from zena.kit.uow import READ_ONLY, READ_WRITE, Reader, unit_of_work
from zena.kit.visit import Visit, visit_of

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
#: In the scope's state of a request that may write while changes are switched off (accounts/closed.py).
WRITES_ANYWAY = "writes_anyway"

ENTER_SQL = "SELECT * FROM gate.enter($1, $2)"
_ENTER = text("SELECT * FROM gate.enter(:kind, :hash)")


@dataclass(frozen=True, slots=True)
class Entered:
    """Who came in. `scope` is None for somebody without a tenant; `refusal` then says why."""

    identity: Identity | None = None
    scope: Scope | None = None
    refusal: str | None = None
    position: int = 0  # of the tenant's outbox when the transaction began: what a page has seen at least


def entered_by(row: Mapping[Any, Any], visit: Visit, at: datetime) -> Entered:
    """Read one row of `gate.enter`; `at` is the instant the request is taken to happen."""
    identity = Identity(
        user=row["user_id"],
        name=row["user_name"],
        email=row["user_email"],
        locale=row["user_locale"],
        timezone=row["user_timezone"],
        theme=row["user_theme"],
        is_operator=row["is_operator"],
        session=row["session_id"],
        token=row["token_id"],
        form_secret=row["form_secret"],
        authenticated_at=row["authenticated_at"],
        request_id=visit.request_id,
        ip=visit.client,
    )
    visit.user, visit.way = str(identity.user), identity.session or identity.token
    if row["tenant_id"] is None:
        return Entered(identity, None, "You do not belong to a firm here yet.")
    if row["tenant_status"] not in SERVED:
        return Entered(identity, None, f"The firm {row['tenant_name']} is {row['tenant_status']}. Ask its owner.")
    visit.tenant = str(row["tenant_id"])
    return Entered(identity, _scope(row, identity, at), position=row["position"])


def demand(access: Access, entered: Entered) -> None:
    """Refuse who may not pass the route's door: 401 nobody, 403 known but not allowed."""
    if access.door is Door.PUBLIC:
        return
    if entered.identity is None:
        raise Unauthorized
    if access.door is Door.OPERATOR and not entered.identity.is_operator:
        raise Forbidden("operator")
    if access.door is not Door.TENANT:
        return
    if entered.scope is None:
        raise Forbidden(detail=entered.refusal, code="NO_TENANT_ACCESS")
    if access.permission:
        entered.scope.require(access.permission)


async def refuse_early(request: Request[Any, Any, Any]) -> None:
    """Answer who may not pass before a byte of the body is read (H06)."""
    if request.method == "OPTIONS":
        return  # answered by the framework with the methods of the address, for anybody; no route of ours takes it
    access = access_of(request)
    if access.door is Door.PUBLIC:
        return
    state = state_of(request)
    credential = credential_of(request, state)
    if credential is None:
        raise Unauthorized
    if request.method in SAFE_METHODS:
        return  # no body: the session dependency authenticates in its own transaction
    async with state.db.lend() as conn:
        row = await conn.fetchrow(ENTER_SQL, credential.kind, credential.digest)
    if row is None:
        raise unknown(credential)
    entered = entered_by(row, visit_of(request.scope), state.clock.now())
    await look(request, state, entered.scope)
    demand(access, entered)


async def provide_session(request: Request[Any, Any, Any]) -> AsyncGenerator[AsyncSession, None]:
    """The one generator dependency: authenticate, open the transaction, bind the tenant; commit after rendering."""
    state = state_of(request)
    async with unit_of_work(state.db) as session:
        if request.scope["state"].get(WRITES_ANYWAY):
            await session.execute(READ_WRITE)
        entered = await _enter(session, request, state)
        if not may_write(request, entered.scope):
            await session.execute(READ_ONLY)
        session.info.update(entered=entered, identity=entered.identity, scope=entered.scope, position=entered.position)
        if entered.identity is not None:
            await _check_form(request, entered.identity)
        attempt = await begin(session, request, entered.scope) if entered.scope else None
        yield session
        if attempt is not None:
            await keep(session, attempt, request.scope["state"].get("answer"))


async def provide_reader(request: Request[Any, Any, Any]) -> AsyncGenerator[Reader, None]:
    """`provide_session` for hot reads: the raw driver in a read-only tenant transaction."""
    state = state_of(request)
    credential = credential_of(request, state)
    if credential is None:
        raise Unauthorized
    async with state.db.lend() as conn, conn.transaction():
        row = await conn.fetchrow(ENTER_SQL, credential.kind, credential.digest)
        if row is None:
            raise unknown(credential)
        entered = entered_by(row, visit_of(request.scope), state.clock.now())
        _admit(request, state, entered)
        await look(request, state, entered.scope)
        demand(access_of(request), entered)
        if entered.scope is None:
            raise Forbidden(detail=entered.refusal, code="NO_TENANT_ACCESS")
        if not may_write(request, entered.scope):
            await conn.execute(READ_ONLY.text)
        yield Reader(conn, entered.scope, entered.position)


async def provide_actor(session: AsyncSession) -> Scope:
    entered: Entered = session.info["entered"]
    if entered.scope is None:
        raise Forbidden(detail=entered.refusal, code="NO_TENANT_ACCESS")
    return entered.scope


async def provide_identity(session: AsyncSession) -> Identity:
    entered: Entered = session.info["entered"]
    if entered.identity is None:
        raise Unauthorized
    return entered.identity


async def provide_visitor(session: AsyncSession) -> Entered:
    """Whoever came, for pages that anybody may see."""
    entered: Entered = session.info["entered"]
    return entered


async def _enter(session: AsyncSession, request: Request[Any, Any, Any], state: State) -> Entered:
    credential = credential_of(request, state)
    access = access_of(request)
    entered = Entered()
    if credential is not None:
        row = (await session.execute(_ENTER, {"kind": credential.kind, "hash": credential.digest})).mappings().first()
        if row is not None:
            entered = entered_by(row, visit_of(request.scope), state.clock.now())
        elif access.door is not Door.PUBLIC:
            raise unknown(credential)
    _admit(request, state, entered)
    await look(request, state, entered.scope)
    demand(access, entered)
    return entered


def _admit(request: Request[Any, Any, Any], state: State, entered: Entered) -> None:
    """Count the request against the limits of its person and firm, or of its address; 429 past them."""
    identity, scope = entered.identity, entered.scope
    if identity is None:
        allowance = state.buckets.admit(address=visit_of(request.scope).client)
    else:
        allowance = state.buckets.admit(user=identity.user, tenant=scope.tenant if scope else None)
    request.scope["state"]["limits"] = allowance.headers()
    allowance.check()


async def _check_form(request: Request[Any, Any, Any], identity: Identity) -> None:
    """Demand the session's token from whatever a page sends, and from forms wherever they go."""
    bound = request.content_type[0] in FORM_TYPES or not visit_of(request.scope).is_api
    if identity.form_secret and request.method not in SAFE_METHODS and bound:
        check_form_token(identity.form_secret, await given_form_token(request))


def _scope(row: Mapping[Any, Any], identity: Identity, at: datetime) -> Scope:
    return Scope(
        tenant=row["tenant_id"],
        member=row["member_id"],
        user=identity.user,
        role=row["role"],
        permissions=permissions_of(row["role"], row["scopes"]),
        timezone=row["tenant_timezone"],
        locale=identity.locale or row["tenant_locale"],
        currency=row["tenant_currency"],
        tenant_name=row["tenant_name"],
        tenant_slug=row["tenant_slug"],
        identity=identity,
        request_id=identity.request_id,
        ip=identity.ip,
        token=identity.token,
        support=SupportAccess(row["visit_id"], row["visit_ends_at"]) if row["visit_id"] else None,
        visitor=Visitor(row["visitor"], row["visitor_until"]) if row["visitor"] else None,
        at=at,
    )
