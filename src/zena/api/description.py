"""The API's description: OpenAPI 3.1, made from the routes themselves."""

from collections.abc import Mapping, Sequence

import msgspec
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from zena import __version__
from zena.api.contract import Described, complete
from zena.kit.access import Access

PREFIX = "/api/"

_ABOUT = """Everything the pages can do. Send `Authorization: Bearer zat_...` (a token of one firm) or a session cookie.
Errors are `application/problem+json`. Lists answer `{data, page: {next, limit}}`; pass `next` as `cursor`.
PATCH and PUT want `If-Match` with the `ETag` you saw. POST takes an `Idempotency-Key`."""


def describe(routes: Sequence[ControllerRouterHandler], dependencies: Mapping[str, Provide]) -> bytes:
    """Return the description as JSON.

    A twin of the application is built for it, so that the served one has no schema routes.
    """
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API token of one firm.")
    twin = Litestar(
        route_handlers=list(routes),
        dependencies=dict(dependencies),
        openapi_config=OpenAPIConfig(
            "Zena API",
            __version__,
            description=_ABOUT,
            components=Components(security_schemes={"token": bearer}),
            security=[{"token": []}],
            use_handler_docstrings=True,
        ),
    )
    schema = twin.openapi_schema.to_schema()
    schema["paths"] = {path: item for path, item in schema["paths"].items() if path.startswith(PREFIX)}
    complete(schema, _doors(twin, schema["paths"]))
    return msgspec.json.encode(schema)


def _doors(app: Litestar, paths: Described) -> dict[tuple[str, str], Access]:
    """Return what each described operation demands of its caller, by path and verb."""
    return {
        (route.path_format, str(method).lower()): handler.opt["access"]
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path_format in paths
        for method, (handler, _) in route.route_handler_map.items()
        if str(method) != "OPTIONS"
    }
