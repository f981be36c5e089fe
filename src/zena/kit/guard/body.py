"""The request body as it streams in: typed, counted, and where it is JSON or a form checked before anything decodes it.

Lazy on purpose: a route guard that answers 401 does so before a byte of the body was asked for (H06).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from zena.kit.errors import BadRequest, RequestTimeout, TooLarge, UnsupportedMedia
from zena.kit.guard.jsonscan import check_json
from zena.kit.guard.rules import GuardRules

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
_UTF8: Final = frozenset({"utf-8", "utf8", ""})
_MAX_FIELDS: Final = 1000
_BOUNDARY: Final = re.compile(r"boundary=(?:\"[^\"\r\n]{1,70}\"|[^\s;\"]{1,70})(?:;|$)", re.IGNORECASE)
_PERCENT_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class Body:
    """One announced body: what it may be, and whether it was read to its end."""

    limit: int
    check: Callable[[bytes], None] | None
    seconds: float
    announced: int = 0
    done: bool = False
    size: int = 0

    def reader(self, receive: Receive) -> Receive:
        """Return `receive` with the checks: whole and checked for JSON and forms, counted for uploads."""

        async def next_message() -> Message:
            if self.done:
                return await receive()
            if self.announced > self.limit:
                raise _too_large(self.limit)
            return await (self._whole(receive) if self.check else self._chunk(receive))

        return next_message

    async def _whole(self, receive: Receive) -> Message:
        parts: list[bytes] = []
        while not self.done:
            parts.append((await self._chunk(receive)).get("body", b""))
        body = b"".join(parts) if len(parts) > 1 else parts[0]
        if self.check and body:
            self.check(body)
        return {"type": "http.request", "body": body, "more_body": False}

    async def _chunk(self, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self.seconds):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout("The rest of the request did not arrive in time.") from None
        if message["type"] != "http.request":
            raise BadRequest("The connection was closed before the request was complete.")
        self.size += len(message.get("body", b""))
        self.done = not message.get("more_body", False)
        if self.size > self.limit:
            raise _too_large(self.limit)
        return message


def announced_body(seen: Mapping[bytes, bytes], path: str, rules: GuardRules) -> Body | None:
    """Return what the headers announce, None for no body; raise UnsupportedMedia for a type this path does not take."""
    length = int(seen.get(b"content-length", b"0"))
    if length == 0 and b"transfer-encoding" not in seen:
        return None
    content_type = seen.get(b"content-type", b"").decode("latin-1")
    media, charset = _media(content_type)
    upload = rules.upload_for(path, media) if rules.uploads else None
    is_api = path.startswith(rules.api_prefix)
    accepted = (JSON,) if is_api else (FORM, MULTIPART)
    if (upload is None and media not in accepted) or charset not in _UTF8:
        raise UnsupportedMedia(f"Send {' or '.join(accepted)}, in UTF-8.", details={"accepted": list(accepted)})
    if media == MULTIPART and not _BOUNDARY.search(content_type):
        raise UnsupportedMedia("A multipart body needs its boundary in Content-Type.")
    check = check_json if media == JSON else check_form if media == FORM else None
    return Body(upload.limit if upload else rules.max_body, check, rules.chunk_seconds, length)


def check_form(body: bytes) -> None:
    """Raise for a form that is not UTF-8 text in percent encoding, or that has a thousand fields (H02)."""
    if body.count(b"&") >= _MAX_FIELDS:
        raise TooLarge(f"A form may have {_MAX_FIELDS} fields.", details={"limit": _MAX_FIELDS})
    if _PERCENT_BROKEN.search(body):
        raise BadRequest("The form contains a broken percent sequence.")
    try:
        unquote_to_bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The form is not valid UTF-8.") from None


def _media(content_type: str) -> tuple[str, str]:
    if content_type == JSON:
        return JSON, ""
    media, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charset = next((p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")), "")
    return media, charset


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"At most {limit} bytes are accepted here.", details={"limit": limit})
