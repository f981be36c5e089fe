"""Static files over HTTP: only what the manifest holds, for ever under the present hash."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import PathParameter

from zena.kit.access import public
from zena.kit.errors import NotFound
from zena.kit.state import state_of

_FOREVER = "public, max-age=31536000, immutable"


@get("/static/{version:str}/{path:path}", opt=public(), sync_to_thread=False, include_in_schema=False)
def serve_static(
    request: Request[Any, Any, Any],
    version: Annotated[str, PathParameter()],
    path: Annotated[str, PathParameter()],
) -> Response[bytes]:
    """Serve one file. A page from before an upgrade names an older hash: it gets today's file, unkept."""
    assets = state_of(request).html.assets
    asset = assets.get(path.lstrip("/"))
    if asset is None:
        raise NotFound
    kept = _FOREVER if version == assets.version else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.body, media_type=asset.media_type, headers=headers)
