"""The letters of this slice, as text in the reader's language."""

from typing import Final

from zena.kit.i18n import N_, Text, translate
from zena.kit.mail import Letter
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


def _letter(to: str, name: str, locale: str, subject: Text, body: Text) -> Letter:
    return Letter(to=to, to_name=name, subject=translate(subject, locale), text=translate(body, locale))
