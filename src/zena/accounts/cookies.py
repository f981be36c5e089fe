"""The session's cookie: host-bound, unreadable for scripts, never sent along by other sites' forms."""

from typing import Final

from litestar.datastructures import Cookie

from zena.accounts.actions.sessions import Opened
from zena.accounts.credentials import cookie_name
from zena.kit.html import LOOK_COOKIE
from zena.kit.state import State

_DAY: Final = 86_400
_HALF: Final = 600


def session_cookie(state: State, opened: Opened) -> Cookie:
    """Return the cookie of a session that was just opened or renewed. It outlives no session; the server decides."""
    age = _HALF if opened.stage == "mfa" else state.settings.session_absolute_days * _DAY
    return _cookie(state, opened.cookie, age)


def no_cookie(state: State) -> Cookie:
    """Return what makes a browser forget its session."""
    return _cookie(state, "", 0)


def look_cookie(state: State, present: str, theme: str) -> Cookie:
    """Return the cookie of a browser's colours with this theme; scripts read and write it too.

    `present` is its value until now: contrast and density stay as they are.
    """
    kept = [word for word in present.split(".") if word in {"contrast", "compact"}]
    words = [theme, *kept] if theme in {"light", "dark"} else kept
    return Cookie(
        key=LOOK_COOKIE, value=".".join(words), max_age=365 * _DAY, path="/", secure=state.is_secure, samesite="lax"
    )


def _cookie(state: State, value: str, age: int) -> Cookie:
    return Cookie(
        key=cookie_name(state),
        value=value,
        max_age=age,
        path="/",
        httponly=True,
        secure=state.is_secure,
        samesite="lax",
    )
