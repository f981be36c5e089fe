"""Sending mail: one port, three ways. The standard library assembles letters; what it lets pass is refused here."""

import asyncio
import contextlib
import smtplib
import ssl
import sys
import unicodedata
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Final, Protocol, TextIO
from urllib.parse import parse_qs, unquote, urlsplit

from zena.kit.clock import Clock, SystemClock
from zena.kit.text import email_address

_SUBJECT_LENGTH: Final = 200
_NAME_LENGTH: Final = 100
_BODY_LENGTH: Final = 500_000
_SECONDS: Final = 20.0
_AT_ONCE: Final = 4
_PERMANENT: Final = 500
_PORTS: Final = {"smtp": 587, "smtps": 465}


class MailRefused(Exception):  # noqa: N818 - said by the other side
    """The letter will never be taken: a bad address, or the server's 5xx. Do not try again."""


class MailDelayed(Exception):  # noqa: N818 - same
    """Not now: the server is away, slow or busy. Try again later."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one person. `text` is always there; `html` is the same for readers who like it."""

    to: str
    subject: str
    text: str
    html: str | None = None
    to_name: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Mailer(Protocol):
    """Takes letters. Raises MailRefused or MailDelayed; returns once the letter is somebody else's to keep."""

    async def send(self, letter: Letter) -> None: ...


@dataclass(slots=True)
class NullMailer:
    """Keeps letters in a list and sends none."""

    sent: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> None:
        compose(letter, "nobody@localhost.invalid")
        self.sent.append(letter)


@dataclass(slots=True)
class ConsoleMailer:
    """Prints letters: where no mail server is set, links reach the person who runs the server."""

    sender: str = "zena@localhost.invalid"
    stream: TextIO | None = None

    async def send(self, letter: Letter) -> None:
        compose(letter, self.sender)
        out = self.stream or sys.stderr
        shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in letter.text)
        out.write(f"\n--- mail to {letter.to}: {letter.subject}\n{shown}\n---\n")
        out.flush()


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where the mail server is. `starttls` is `required`, `optional` or `never`; smtps is encrypted from the start."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    implicit_tls: bool = False
    starttls: str = "required"

    @classmethod
    def of(cls, url: str) -> "SmtpServer":
        """Read smtp://user:password@host:587?starttls=optional; a server on this machine need not encrypt."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("a mail server is smtp://host:587 or smtps://host:465")
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        wish = parse_qs(parts.query).get("starttls", ["optional" if local else "required"])[0]
        if wish not in {"required", "optional", "never"}:
            raise ValueError("starttls is required, optional or never")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            implicit_tls=parts.scheme == "smtps",
            starttls=wish,
        )


@dataclass(slots=True)
class SmtpMailer:
    """Speaks SMTP in a thread, at most four letters at once, one connection per letter."""

    server: SmtpServer
    sender: str
    clock: Clock = field(default_factory=SystemClock)
    seconds: float = _SECONDS
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def send(self, letter: Letter) -> None:
        message = compose(letter, self.sender, self.clock)
        async with self._slots:
            await asyncio.to_thread(self._deliver, message)

    def _deliver(self, message: EmailMessage) -> None:
        try:
            client = self._connect()
            try:
                client.send_message(message)
            finally:
                _hang_up(client)
        except smtplib.SMTPResponseException as error:
            kind = MailRefused if error.smtp_code >= _PERMANENT else MailDelayed
            raise kind(f"the mail server answered {error.smtp_code}") from error
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=0)
            raise (MailRefused if code >= _PERMANENT else MailDelayed)(f"recipient refused ({code})") from error
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused("the mail server lacks a needed extension") from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailDelayed(f"the mail server cannot be used: {type(error).__name__}") from error

    def _connect(self) -> smtplib.SMTP:
        server = self.server
        if server.implicit_tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self.seconds, context=ssl.create_default_context()
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=self.seconds)
        try:
            self._greet(client)
        except BaseException:
            client.close()
            raise
        return client

    def _greet(self, client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        if not self.server.implicit_tls and self.server.starttls != "never":
            if client.has_extn("starttls"):
                client.starttls(context=ssl.create_default_context())
            elif self.server.starttls == "required":
                raise smtplib.SMTPException("the server offers no STARTTLS")
        if self.server.user is not None:
            client.login(self.server.user, self.server.password or "")


def _hang_up(client: smtplib.SMTP) -> None:
    """Leave politely. A server that stumbles over QUIT has kept the letter: called a failure, it would go out twice."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        client.quit()
    client.close()


def mailer_from_url(url: str | None, sender: str) -> Mailer:
    """Return the mailer of the settings; without a mail server letters are printed."""
    return SmtpMailer(SmtpServer.of(url), sender) if url else ConsoleMailer(sender or "zena@localhost.invalid")


def compose(letter: Letter, sender: str, clock: Clock | None = None) -> EmailMessage:
    """Return the message, or raise MailRefused for an address, subject or body that could smuggle another one (O06)."""
    name, address = parseaddr(sender)
    try:
        to = email_address(letter.to, "to")
        message = EmailMessage(policy=SMTP.clone(cte_type="7bit") if to.isascii() else SMTPUTF8)
        message["From"] = Address(_plain(name), addr_spec=address)
        message["To"] = Address(_plain(letter.to_name), addr_spec=to)
        message["Subject"] = _one_line(letter.subject)[:_SUBJECT_LENGTH]
        message["Date"] = format_datetime((clock or SystemClock()).now())
        message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2] or "localhost.invalid")
        message["Auto-Submitted"] = "auto-generated"
        for header, value in letter.headers:
            message[_one_line(header)] = _one_line(value)
        message.set_content(_body(letter.text))
        if letter.html is not None:
            message.add_alternative(_body(letter.html), subtype="html")
    except MailRefused:
        raise
    except Exception as error:
        raise MailRefused(f"this letter cannot be written: {type(error).__name__}") from error
    return message


def _one_line(value: str) -> str:
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" or 0xD800 <= ord(c) < 0xE000 for c in value):  # noqa: PLR2004 - code points
        raise MailRefused("a header must not hold control characters")
    return value


def _plain(name: str) -> str:
    """Return a display name that cannot pose as an address, a link or another name: names come from people (O06)."""
    kept = (c for c in _one_line(name) if c not in '<>@"\\,;:/' and unicodedata.category(c) != "Cf")
    return "".join(kept)[:_NAME_LENGTH].strip()


def _body(text: str) -> str:
    if "\x00" in text or len(text) > _BODY_LENGTH:
        raise MailRefused("a body holds no NUL and at most 500,000 characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")
