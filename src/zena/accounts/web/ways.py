"""Where people are sent after a form, and what their browser is."""

from urllib.parse import quote

from litestar import Response

from zena.accounts.actions.sessions import Opened
from zena.accounts.callers import AnyRequest, caller_of
from zena.accounts.cookies import look_cookie, session_cookie
from zena.accounts.policy import is_fresh
from zena.kit.html import LOOK_COOKIE, see_other
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.kit.text import safe_next

__all__ = ["AnyRequest", "arrive", "ask_again", "caller_of", "with_next"]


def arrive(request: AnyRequest, opened: Opened, following: str, toast: str | None = None) -> Response[str]:
    """Set the session's cookie and lead on: to the second factor, to the choice of a firm, or where they wanted."""
    target = safe_next(following)
    if opened.stage == "mfa":
        target = with_next("/sign-in/code", target)
    elif opened.scope is None:
        target = "/firms"
    state = state_of(request)
    cookies = [session_cookie(state, opened)]
    if LOOK_COOKIE not in request.cookies:
        cookies.append(look_cookie(state, "", opened.theme))
    return see_other(request, target, toast=toast, cookies=cookies)


def ask_again(request: AnyRequest, identity: Identity, back: str) -> Response[str] | None:
    """Return the way to confirming one's password before a sensitive change; None if that was done just now."""
    if identity.session is None or is_fresh(identity, state_of(request).clock.now()):
        return None
    return see_other(request, with_next("/confirm", back))


def with_next(url: str, following: str) -> str:
    return url if following == "/" else f"{url}?next={quote(following, safe='/')}"
