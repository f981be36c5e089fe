"""Who looks at a page, in which language and look, and what stands in the side bar for them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from litestar import Request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.csrf import form_token
from zena.kit.db import raw
from zena.kit.i18n import choose_locale
from zena.kit.registry import NavItem
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of
from zena.kit.templates import Renderer
from zena.kit.uow import Reader, actor_of
from zena.kit.view import View
from zena.kit.visit import visit_of

AnyRequest = Request[Any, Any, Any]
#: Where a page's identity comes from: the handler's `session` or `reader`, or None for people who are not signed in.
Source = AsyncSession | Reader | None
Nav = Sequence[tuple[NavItem, bool]]

LOOK_COOKIE = "zena_look"
FLASH_COOKIE = "zena_flash"
_LOOKS = frozenset({"light", "dark", "contrast", "compact"})


def is_htmx(request: AnyRequest) -> bool:
    """Tell whether htmx or one of our modules asks, for a part of a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def renderer(request: AnyRequest) -> Renderer:
    return state_of(request).html


def view_of(request: AnyRequest, source: Source) -> View:
    """Return what a page may know of its reader, from the request and from who entered the transaction."""
    identity, actor = _who(source)
    state = state_of(request)
    locale = choose_locale(
        identity.locale if identity else None,
        accept_language=request.headers.get("accept-language"),
        fallback=actor.locale if actor else None,
    )
    return View(
        locale=locale,
        timezone=(identity.timezone if identity else None) or (actor.timezone if actor else "UTC"),
        currency=actor.currency if actor else "VND",
        now=state.clock.now(),
        path=request.url.path,
        query=request.url.query or "",
        visit=visit_of(request.scope),
        csrf=form_token(identity.form_secret) if identity and identity.form_secret else "",
        websocket=getattr(state.settings, "websocket_url", None) or "",
        position=_position(source),
        look=_look(request, identity),
        flash=unquote(request.cookies.get(FLASH_COOKIE, ""))[:300],
        notice=state.gate.notice,
        identity=identity,
        actor=actor,
    )


def _look(request: AnyRequest, identity: Identity | None) -> frozenset[str]:
    """Return the look chosen in this browser, else the one of the person's profile."""
    chosen = request.cookies.get(LOOK_COOKIE) or (identity.theme if identity else "")
    return _LOOKS.intersection((chosen or "").split("."))


def _position(source: Source) -> int | None:
    """Return how much of the tenant's outbox the page has seen at least: live regions follow from there."""
    if isinstance(source, AsyncSession):
        return source.info.get("position")
    return source.position if source else None


def _who(source: Source) -> tuple[Identity | None, Scope | None]:
    if source is None:
        return None, None
    if isinstance(source, Reader):
        return source.scope.identity, source.scope
    return actor_of(source)


async def nav_of(request: AnyRequest, source: Source, view: View) -> Nav:
    """Return the side bar's entries, each with whether it is where we are: the longest address that fits wins."""
    if source is None or view.actor is None:
        return []
    connection = source.conn if isinstance(source, Reader) else await raw(source)
    items = [item for provider in state_of(request).registry.nav for item in await provider(connection, view.actor)]
    here = max((item.url for item in items if _holds(item.url, view.path)), key=len, default=None)
    return [(item, item.url == here) for item in items]


async def nav_or_nothing(request: AnyRequest, source: Source, view: View) -> Nav:
    try:
        return await nav_of(request, source, view)
    except (SQLAlchemyError, OSError):
        return []  # the refusal left the transaction unusable; the form matters more than the side bar


def _holds(url: str, path: str) -> bool:
    return path == url or path.startswith(url.rstrip("/") + "/") if url != "/" else path == "/"
