"""HTML answers of handlers: whole pages, fragments, refused forms, redirects.

All are rendered eagerly, inside the handler and so inside its transaction: a page that fails to draw commits nothing.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

from litestar import Request, Response
from litestar.datastructures import Cookie
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from zena.kit.csrf import form_token
from zena.kit.db import raw
from zena.kit.errors import Conflict, Invalid, Problem, RateLimited, Stale
from zena.kit.i18n import choose_locale, translate
from zena.kit.registry import NavItem
from zena.kit.scope import Identity, Scope
from zena.kit.state import state_of
from zena.kit.templates import Renderer
from zena.kit.uow import Reader, actor_of
from zena.kit.view import FormState, View
from zena.kit.visit import visit_of

AnyRequest = Request[Any, Any, Any]
#: Where a page's identity comes from: the handler's `session` or `reader`, or None for people who are not signed in.
Source = AsyncSession | Reader | None
Nav = Sequence[tuple[NavItem, bool]]

LOOK_COOKIE = "zena_look"
FLASH_COOKIE = "zena_flash"
_LOOKS = frozenset({"light", "dark", "contrast", "compact"})
_HEADERS = {"Cache-Control": "no-store", "Vary": "Cookie, HX-Request"}
_HTML = "text/html"
_OWN_PAGES = (403, 404, 422, 429, 500, 503)


class FormRefused(Exception):  # noqa: N818 - the name of the contract
    """A form that could not be taken. Raised, not returned, so that the transaction rolls back; drawn again as 422."""

    def __init__(self, state: FormState, template: str, context: Mapping[str, Any], *, view: View, nav: Nav) -> None:
        super().__init__(state.problem.detail)
        self.problem, self.values, self.template, self.context = state.problem, state.values, template, context
        self.view, self.nav = view, nav
        self.view.refused = state


class refusing:  # noqa: N801 - reads as a word: `async with refusing(...)`
    """Turn a refusal of the block into the form again, with what was typed and the message beside its field.

    `template` is the page that holds the form, `fragment` what htmx gets instead; `form` names the form where a page
    has several. Problems other than those in `catch` pass through.
    """

    def __init__(  # noqa: PLR0913 - keywords, read like a sentence at each call
        self,
        request: AnyRequest,
        source: Source,
        template: str,
        values: Mapping[str, Any],
        *,
        fragment: str | None = None,
        form: str | None = None,
        catch: tuple[type[Problem], ...] = (Invalid, Conflict, Stale, RateLimited),
        **context: Any,
    ) -> None:
        self._request, self._source, self._values, self._form = request, source, values, form
        self._partial = is_htmx(request) and fragment is not None
        self._template = fragment if self._partial and fragment else template
        self._catch, self._context = catch, context

    async def __aenter__(self) -> Self:
        return self

    def add(self, **context: Any) -> None:
        """Add to what the template needs, once it is known."""
        self._context.update(context)

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if not isinstance(error, self._catch):
            return
        view = view_of(self._request, self._source)
        nav = [] if self._partial else await _nav_or_nothing(self._request, self._source, view)
        state = FormState(error, self._values, self._form)
        raise FormRefused(state, self._template, self._context, view=view, nav=nav) from error


async def page(
    request: AnyRequest, source: Source, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """Answer with a whole page in the layout its template extends."""
    view = view_of(request, source)
    nav = await _nav(request, source, view)
    headers, cookies = dict(_HEADERS), []
    if view.flash:
        cookies.append(Cookie(FLASH_COOKIE, value="", max_age=0, path="/"))
    content = renderer(request).render(template, view, nav=nav, **context)
    return Response(content, status_code=status, media_type=_HTML, headers=headers, cookies=cookies)


def fragment(
    request: AnyRequest,
    source: Source,
    template: str,
    *,
    status: int = 200,
    toast: str | None = None,
    events: Mapping[str, Any] | None = None,
    **context: Any,
) -> Response[str]:
    """Answer with a part of a page. `toast` is said to the user; `events` are raised in the browser (HX-Trigger)."""
    view = view_of(request, source)
    raised = dict(events or {})
    if toast:
        raised["zena:toast"] = {"text": translate(toast, view.locale)}
    headers = dict(_HEADERS) | ({"HX-Trigger": json.dumps(raised)} if raised else {})
    content = renderer(request).render(template, view, **context)
    return Response(content, status_code=status, media_type=_HTML, headers=headers)


def see_other(
    request: AnyRequest, url: str, *, toast: str | None = None, cookies: Sequence[Cookie] = ()
) -> Response[str]:
    """Answer a form that was taken: 303 to the next page, which says `toast`. htmx is told to go there as a whole."""
    kept = list(cookies)
    if toast:
        text = quote(translate(toast, view_of(request, None).locale))
        kept.append(Cookie(FLASH_COOKIE, value=text, max_age=30, path="/", httponly=True, samesite="strict"))
    headers = {"Cache-Control": "no-store"}
    if is_htmx(request):
        return Response("", status_code=200, media_type=_HTML, headers=headers | {"HX-Redirect": url}, cookies=kept)
    return Response("", status_code=303, media_type=_HTML, headers=headers | {"Location": url}, cookies=kept)


def refused_form(request: AnyRequest, exc: FormRefused) -> Response[str]:
    """Draw a refused form again: the exception handler of FormRefused. 422, or 429 where somebody must wait."""
    content = renderer(request).render(exc.template, exc.view, nav=exc.nav, **exc.context)
    status = 429 if isinstance(exc.problem, RateLimited) else 422
    headers = _HEADERS | exc.problem.headers
    if is_htmx(request) and content.lstrip()[:9].lower() == "<!doctype":
        headers |= {"HX-Retarget": "body", "HX-Reswap": "innerHTML"}
    return Response(content, status_code=status, media_type=_HTML, headers=headers)


def error_page(request: AnyRequest, problem: Problem) -> Response[str]:
    """Draw a refusal as a page of its own. Touches no database, so it also works when that is what is broken.

    htmx is told in a toast instead: what the user sees stays.
    """
    view = view_of(request, None)
    if is_htmx(request):
        told = {"zena:toast": {"text": translate(problem.detail, view.locale), "tone": "bad"}}
        headers = _HEADERS | problem.headers | {"HX-Trigger": json.dumps(told), "HX-Reswap": "none"}
        return Response("", status_code=problem.status, media_type=_HTML, headers=headers)
    content = renderer(request).render(f"error/{_page_for(problem.status)}.html", view, problem=problem)
    return Response(content, status_code=problem.status, media_type=_HTML, headers=_HEADERS | problem.headers)


def _page_for(status: int) -> int:
    """Return the error page that tells a status best."""
    if status in _OWN_PAGES:
        return status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HTTPStatus.INTERNAL_SERVER_ERROR.value
    return HTTPStatus.UNPROCESSABLE_ENTITY.value


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


async def _nav(request: AnyRequest, source: Source, view: View) -> Nav:
    """Return the side bar's entries, each with whether it is where we are: the longest address that fits wins."""
    if source is None or view.actor is None:
        return []
    connection = source.conn if isinstance(source, Reader) else await raw(source)
    items = [item for provider in state_of(request).registry.nav for item in await provider(connection, view.actor)]
    here = max((item.url for item in items if _holds(item.url, view.path)), key=len, default=None)
    return [(item, item.url == here) for item in items]


async def _nav_or_nothing(request: AnyRequest, source: Source, view: View) -> Nav:
    try:
        return await _nav(request, source, view)
    except (SQLAlchemyError, OSError):
        return []  # the refusal left the transaction unusable; the form matters more than the side bar


def _holds(url: str, path: str) -> bool:
    return path == url or path.startswith(url.rstrip("/") + "/") if url != "/" else path == "/"
