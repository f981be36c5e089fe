"""Requests that another site makes a browser send: refused by Fetch-Metadata or Origin, forms also by a token.

The first rule needs no session and is applied by the guard to every unsafe request before anything is read. The token
binds a form to the session it was rendered for.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from litestar.connection import Request

from zena.kit.errors import Forbidden

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER: Final = "X-Zena-Token"  # noqa: S105 - the name of a header
TOKEN_FIELD: Final = "_token"  # noqa: S105 - the name of a form field
CROSS_SITE: Final = "CROSS_SITE_REQUEST"
FORM_EXPIRED: Final = "FORM_EXPIRED"

_SALT_BYTES: Final = 9
_MAC_BYTES: Final = 24
_LABEL: Final = b"zena form token v1:"
_FORM_TYPES: Final = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})


def check_same_site(seen: Mapping[bytes, bytes], origins: frozenset[str], *, cookie: bool) -> None:
    """Raise Forbidden when a browser says that another site caused this unsafe request.

    With a session cookie the caller must prove the contrary: a request that says nothing is refused. A bearer token
    exempts, because no site can make a browser attach one.
    """
    if seen.get(b"authorization", b"")[:7].lower() == b"bearer ":
        return
    site = seen.get(b"sec-fetch-site")
    if site is not None:
        allowed = site in {b"same-origin", b"none"}
    elif b"origin" in seen:
        allowed = seen[b"origin"].decode("latin-1").lower() in origins
    else:
        allowed = not cookie
    if not allowed:
        raise Forbidden(detail="This request did not come from a page of this site.", code=CROSS_SITE)


def origin_allowed(origin: str | None, origins: frozenset[str], *, bearer: bool) -> bool:
    """Tell whether a websocket may be opened; only a caller with a bearer token may come without an Origin."""
    if origin is None:
        return bearer
    return origin.lower() in origins


def form_token(session_secret: bytes) -> str:
    """Return a token for one rendered form: a new string each time, valid as long as the session's secret is."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.urlsafe_b64encode(salt + _mac(session_secret, salt)).decode()


def check_form_token(session_secret: bytes, given: str | None) -> None:
    """Raise Forbidden unless `given` was made by `form_token` with this session's secret."""
    try:
        raw = base64.urlsafe_b64decode((given or "").encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    salt, mac = raw[:_SALT_BYTES], raw[_SALT_BYTES:]
    if len(raw) != _SALT_BYTES + _MAC_BYTES or not hmac.compare_digest(mac, _mac(session_secret, salt)):
        raise Forbidden(
            detail="This form was opened in another session. Reload the page and send it again.", code=FORM_EXPIRED
        )


async def given_form_token(request: Request[Any, Any, Any]) -> str | None:
    """Return the token a form or script sent: the header first, else the hidden field of the parsed form."""
    header = request.headers.get(TOKEN_HEADER)
    if header is not None or request.content_type[0] not in _FORM_TYPES:
        return header
    value = (await request.form()).get(TOKEN_FIELD)
    return value if isinstance(value, str) else None


def _mac(session_secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(session_secret, _LABEL + salt, hashlib.sha256)[:_MAC_BYTES]
