"""ETag and If-Match of objects that carry a version."""

import re
from typing import Any, Final

from litestar import Request

from zena.kit.errors import Invalid, PreconditionRequired
from zena.kit.i18n import N_

_TAG: Final = re.compile(r'(?:W/)?"(?P<version>[0-9]{1,18})"')


def etag(version: int) -> dict[str, str]:
    """Return the header that names the version a caller sees."""
    return {"ETag": f'"{version}"'}


def wanted_version(request: Request[Any, Any, Any]) -> int | None:
    """Return the version a change is based on; `*` means whichever. 428 where nothing is said."""
    given = request.headers.get("if-match")
    if given is None:
        raise PreconditionRequired(N_("Send If-Match with the ETag you have seen."))
    if given.strip() == "*":
        return None
    tag = _TAG.fullmatch(given.strip())
    if tag is None:
        raise Invalid.field("If-Match", N_('One ETag as it was given, such as "3".'), "format")
    return int(tag["version"])
