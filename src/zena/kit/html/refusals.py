"""What a handler answers with when it cannot: the form again with its messages, or a page that says why not."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from litestar import Response

from zena.kit.errors import Conflict, Invalid, Problem, RateLimited, Stale
from zena.kit.html.answers import HEADERS, HTML
from zena.kit.html.reader import AnyRequest, Nav, Source, is_htmx, nav_or_nothing, renderer, view_of
from zena.kit.i18n import translate
from zena.kit.refused import note_refusal
from zena.kit.view import FormState, View
from zena.kit.visit import visit_of

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
        nav = [] if self._partial else await nav_or_nothing(self._request, self._source, view)
        state = FormState(error, self._values, self._form)
        raise FormRefused(state, self._template, self._context, view=view, nav=nav) from error


def refused_form(request: AnyRequest, exc: FormRefused) -> Response[str]:
    """Draw a refused form again: the exception handler of FormRefused. 422, or 429 where somebody must wait."""
    route = str(request.scope.get("path_template") or "")
    note_refusal(visit_of(request.scope), exc.problem, method=request.method, route=route)
    content = renderer(request).render(exc.template, exc.view, nav=exc.nav, **exc.context)
    status = 429 if isinstance(exc.problem, RateLimited) else 422
    headers = HEADERS | exc.problem.headers
    if is_htmx(request) and content.lstrip()[:9].lower() == "<!doctype":
        headers |= {"HX-Retarget": "body", "HX-Reswap": "innerHTML"}
    return Response(content, status_code=status, media_type=HTML, headers=headers)


def error_page(request: AnyRequest, problem: Problem) -> Response[str]:
    """Draw a refusal as a page of its own. Touches no database, so it also works when that is what is broken.

    htmx is told in a toast instead: what the user sees stays.
    """
    view = view_of(request, None)
    if is_htmx(request):
        told = {"zena:toast": {"text": translate(problem.detail, view.locale), "tone": "bad"}}
        headers = HEADERS | problem.headers | {"HX-Trigger": json.dumps(told), "HX-Reswap": "none"}
        return Response("", status_code=problem.status, media_type=HTML, headers=headers)
    content = renderer(request).render(f"error/{_page_for(problem.status)}.html", view, problem=problem)
    return Response(content, status_code=problem.status, media_type=HTML, headers=HEADERS | problem.headers)


def _page_for(status: int) -> int:
    """Return the error page that tells a status best."""
    if status in _OWN_PAGES:
        return status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HTTPStatus.INTERNAL_SERVER_ERROR.value
    return HTTPStatus.UNPROCESSABLE_ENTITY.value
