"""What a handler answers with when all is well: whole pages, parts of pages, redirects, messages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from litestar import Response
from litestar.datastructures import Cookie

from zena.kit.html.reader import FLASH_COOKIE, AnyRequest, Source, is_htmx, nav_of, renderer, view_of
from zena.kit.i18n import translate
from zena.kit.view import View

HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Cookie, HX-Request"}
HTML: Final = "text/html"


async def page(
    request: AnyRequest, source: Source, template: str, *, status: int = 200, **context: Any
) -> Response[str]:
    """Answer with a whole page in the layout its template extends."""
    view = view_of(request, source)
    nav = await nav_of(request, source, view)
    content = renderer(request).render(template, view, nav=nav, **context)
    return Response(content, status_code=status, media_type=HTML, headers=dict(HEADERS), cookies=said_once(view))


def said_once(view: View) -> list[Cookie]:
    """Return the cookie that takes back what the page says: the next one does not say it again."""
    return [Cookie(FLASH_COOKIE, value="", max_age=0, path="/")] if view.flash else []


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
    headers = dict(HEADERS) | ({"HX-Trigger": json.dumps(raised)} if raised else {})
    content = renderer(request).render(template, view, **context)
    return Response(content, status_code=status, media_type=HTML, headers=headers)


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
        return Response("", status_code=200, media_type=HTML, headers=headers | {"HX-Redirect": url}, cookies=kept)
    return Response("", status_code=303, media_type=HTML, headers=headers | {"Location": url}, cookies=kept)


def told(request: AnyRequest, text: str, back: str, *, undo: str | None = None) -> Response[str]:
    """Answer with a message alone: the page follows its channels. Without htmx, 303 to `back` with the message.

    `undo` is the address that takes the change back.
    """
    if not is_htmx(request):
        return see_other(request, back, toast=text)
    raised: dict[str, Any] = {"text": translate(text, view_of(request, None).locale)}
    if undo:
        raised["undo"] = {"url": undo}
    headers = HEADERS | {"HX-Trigger": json.dumps({"zena:toast": raised}), "HX-Reswap": "none"}
    return Response("", status_code=200, media_type=HTML, headers=headers)
