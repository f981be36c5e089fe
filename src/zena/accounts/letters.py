"""The letters of this slice, as text in the reader's language."""

from typing import Final

from zena.accounts.models import SupportVisit
from zena.kit.formats import exact
from zena.kit.i18n import N_, Text, translate
from zena.kit.mail import Letter
from zena.kit.scope import Scope
from zena.kit.text import isolate

_RESET_SUBJECT: Final = N_("Choose a new password")
_NOTICE_SUBJECT: Final = N_("A change to your account")

NOTICES: Final = {
    "password_changed": N_("Your password was changed. All your other sessions have ended."),
    "second_factor_enabled": N_("Sign-in now also asks for a code of your authenticator app."),
    "second_factor_disabled": N_("Sign-in no longer asks for a code of your authenticator app."),
}


def reset_letter(*, to: str, name: str, locale: str, link: str, minutes: int) -> Letter:
    body = N_(
        "Hello %(name)s,\n\n"
        "somebody, probably you, asked for a new password. "
        "This link is good for %(minutes)s minutes and works once:\n\n"
        "%(link)s\n\n"
        "If it was not you, do nothing: your password stays as it is.\n",
        name=isolate(name),
        minutes=minutes,
        link=link,
    )
    return _letter(to, name, locale, _RESET_SUBJECT, body)


def invitation_letter(*, to: str, firm: str, inviter: str, locale: str, link: str) -> Letter:
    subject = N_("You are invited to %(firm)s", firm=isolate(firm))
    body = N_(
        "Hello,\n\n%(inviter)s invites you to work with %(firm)s. This link is good for seven days and works once:\n\n"
        "%(link)s\n\n"
        "If you do not know them, do nothing.\n",
        inviter=isolate(inviter),
        firm=isolate(firm),
        link=link,
    )
    return _letter(to, "", locale, subject, body)


def notice_letter(*, to: str, name: str, locale: str, kind: str, public_url: str) -> Letter:
    body = N_(
        "Hello %(name)s,\n\n%(what)s\n\n"
        "If it was not you, choose a new password now and end all sessions:\n\n%(link)s\n",
        name=isolate(name),
        what=NOTICES[kind],
        link=f"{public_url}/reset",
    )
    return _letter(to, name, locale, _NOTICE_SUBJECT, body)


def visit_letter(  # noqa: PLR0913 - what stands in one letter
    to: str, name: str, locale: str, *, scope: Scope, visit: SupportVisit, zone: str | None, public_url: str
) -> Letter:
    """Return the letter that tells a firm who looks at it. The time is the reader's, or the firm's."""
    body = N_(
        "Hello %(name)s,\n\n"
        "%(operator)s of the support of this installation looks at %(firm)s until %(until)s. "
        "They can change nothing. The reason they gave:\n\n%(reason)s\n\n"
        "What they open, and a button that ends it now, is here:\n\n%(link)s\n",
        name=isolate(name),
        operator=isolate(visit.operator_name),
        firm=isolate(scope.tenant_name),
        until=exact(visit.ends_at, locale, zone or scope.timezone),
        reason=visit.reason,
        link=f"{public_url}/settings/support",
    )
    return _letter(to, name, locale, N_("Support looks at %(firm)s", firm=isolate(scope.tenant_name)), body)


def _letter(to: str, name: str, locale: str, subject: Text, body: Text) -> Letter:
    return Letter(to=to, to_name=name, subject=translate(subject, locale), text=translate(body, locale))
