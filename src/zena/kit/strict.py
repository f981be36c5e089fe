"""Requests taken literally: JSON of exactly the declared types, query parameters that exist and come once.

The framework alone would read "1" as 1, take the last of two equal parameters and ignore those it does not know.
"""

from functools import lru_cache
from typing import Any, Final

import msgspec
from litestar import Litestar, Request
from litestar.datastructures import FormMultiDict
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types.empty import Empty
from litestar.utils.scope.state import ScopeState

from zena.kit.errors import BadRequest, FieldError, Invalid, Malformed
from zena.kit.i18n import N_
from zena.kit.visit import visit_of

_JSON: Final = "application/json"


class StrictRequest(Request[Any, Any, Any]):
    """The application's `request_class`: a form that is no text is refused, where the framework would break."""

    async def form(self) -> FormMultiDict:
        try:
            return await super().form()
        except (UnicodeDecodeError, LookupError):  # a part that is not UTF-8, or claims an encoding nobody knows
            raise BadRequest(N_("A field of the form is not valid UTF-8.")) from None


async def strict_request(request: Request[Any, Any, Any]) -> None:
    """The application's `before_request`: after the route guards, before any dependency. Touches only the API.

    Decodes a JSON body once, into the handler's own type; the framework then finds it ready.
    """
    if not visit_of(request.scope).is_api:
        return
    if request.scope["query_string"]:
        _check_query(request)
    decoder = _decoder(request.route_handler)
    if decoder is None:
        return
    body = await request.body()
    if body:
        ScopeState.from_scope(request.scope).json = decoder.decode(body)
    elif not _has_default(request.route_handler):
        raise Malformed("This needs a JSON body. (byte 0)", details={"offset": 0})


def _check_query(request: Request[Any, Any, Any]) -> None:
    known = _query_names(request.app, request.route_handler)
    given = request.query_params
    wrong = [FieldError(name, "unknown", "This parameter is not known here.") for name in given if name not in known]
    for name, repeatable in known.items():
        if not repeatable and len(given.getall(name, [])) > 1:
            wrong.append(FieldError(name, "repeated", "This parameter may be given once."))
    if wrong:
        raise Invalid(wrong)


@lru_cache(maxsize=1024)
def _query_names(app: Litestar, handler: HTTPRouteHandler) -> dict[str, bool]:
    """Return the query parameters of a route and its dependencies, and whether each may repeat.

    A route that reads names of its own declares them: `opt={"query": frozenset({"status"})}`.
    """
    names: dict[str, bool] = dict.fromkeys(handler.opt.get("query", ()), True)
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for known, model in route.route_handler_map.values():
                if known is handler:
                    names |= {entry.field_alias: entry.is_sequence for entry in model.expected_query_params}
    return names


@lru_cache(maxsize=1024)
def _decoder(handler: HTTPRouteHandler) -> "msgspec.json.Decoder[Any] | None":
    """Return the decoder of a route's `data`, None where it takes none or takes a form."""
    field = handler.parsed_fn_signature.parameters.get("data")
    media = getattr(field.kwarg_definition, "media_type", None) if field else None
    if field is None or (media is not None and str(getattr(media, "value", media)) != _JSON):
        return None
    return msgspec.json.Decoder(field.raw, strict=True)


@lru_cache(maxsize=1024)
def _has_default(handler: HTTPRouteHandler) -> bool:
    field = handler.parsed_fn_signature.parameters["data"]
    return field.default is not Empty or field.is_optional
