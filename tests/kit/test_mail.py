"""Letters: what may stand in them, and how they are handed to a mail server that is kind, full or gone."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from zena.kit.clock import FixedClock
from zena.kit.mail import (
    ConsoleMailer,
    Letter,
    MailDelayed,
    MailRefused,
    NullMailer,
    SmtpMailer,
    SmtpServer,
    compose,
    mailer_from_url,
)

SENDER = "Zena <zena@firm.test>"
LETTER = Letter(
    "an@firm.test", "Đặt lại mật khẩu", "Chào An,\nhttps://zena.test/reset/x\n", "<p>Chào An</p>", "Nguyễn Văn An"
)


def test_a_letter_is_whole() -> None:
    message = compose(LETTER, SENDER, FixedClock(datetime(2026, 3, 1, 7, tzinfo=UTC)))
    assert (message["From"], message["Subject"]) == (SENDER, "Đặt lại mật khẩu")
    assert message["To"] == "Nguyễn Văn An <an@firm.test>"
    assert message["Date"] == "Sun, 01 Mar 2026 07:00:00 +0000"
    assert message["Message-ID"].endswith("@firm.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.iter_parts()
    assert "Chào An" in text.get_content()
    assert html.get_content_type() == "text/html"
    assert b"\n.\n" not in message.as_bytes()


@pytest.mark.parametrize(
    "letter",
    [
        Letter("an@firm.test\r\nBcc: x@evil.test", "s", "t"),
        Letter("an@firm.test,x@evil.test", "s", "t"),
        Letter("x@[127.0.0.1]", "s", "t"),
        Letter("an@firm.test\x00", "s", "t"),
        Letter("x" * 300 + "@firm.test", "s", "t"),
        Letter("an@firm.test", "s\r\nBcc: x@evil.test", "t"),
        Letter("an@firm.test", "s\x00", "t"),
        Letter("an@firm.test", "s\u2028", "t"),
        Letter("an@firm.test", "\ud800", "t"),
        Letter("an@firm.test", "s", "t\x00"),
        Letter("an@firm.test", "s", "t", "<p>\x00"),
        Letter("an@firm.test", "s", "\ud800"),
        Letter("an@firm.test", "s", "t" * 600_000),
        Letter("an@firm.test", "s", "t", to_name="An\r\nBcc: x@evil.test"),
        Letter("an@firm.test", "s", "t", headers=(("X-A\r\nBcc", "x"),)),
        Letter("an@firm.test", "s", "t", headers=(("X-A", "x\r\nBcc: y"),)),
    ],
)
def test_O06_what_could_smuggle_another_letter(letter: Letter) -> None:
    with pytest.raises(MailRefused):
        compose(letter, SENDER)


@pytest.mark.parametrize("name", ["Boss <boss@bank.test>", "https://evil.test/login", 'a" <x@y.z>', "a\u202etset.live"])
def test_O06_names_cannot_pose_as_addresses_or_links(name: str) -> None:
    to = str(compose(Letter("an@firm.test", "s", "t", to_name=name), SENDER)["To"])
    shown = to.removesuffix("<an@firm.test>")
    assert to.endswith("<an@firm.test>")
    assert not set(shown) & set("<>@/:\\\u202e")


async def test_without_a_server_letters_are_printed() -> None:
    out = io.StringIO()
    await ConsoleMailer(SENDER, out).send(Letter("an@firm.test", "Hello", "see \x1b[31mthis"))
    assert "mail to an@firm.test: Hello\nsee ?[31mthis" in out.getvalue()
    assert isinstance(mailer_from_url(None, ""), ConsoleMailer)
    null = NullMailer()
    await null.send(LETTER)
    assert null.sent == [LETTER]
    with pytest.raises(MailRefused):
        await null.send(Letter("nobody", "s", "t"))


def test_servers_in_urls() -> None:
    found = SmtpServer.of("smtp://me%40x:p%2Fw@mail.firm.test")
    assert (found.host, found.port, found.user, found.password) == ("mail.firm.test", 587, "me@x", "p/w")
    assert (found.implicit_tls, found.starttls) == (False, "required")
    assert "p/w" not in repr(found)
    assert SmtpServer.of("smtps://mail.firm.test").implicit_tls
    assert SmtpServer.of("smtp://localhost:1025").starttls == "optional"
    for bad in ("http://x", "smtp://", "smtp://h?starttls=maybe"):
        with pytest.raises(ValueError, match=r"smtp://host|starttls is"):
            SmtpServer.of(bad)


class Post:
    """A mail server that answers some commands as told and keeps what it is given."""

    def __init__(self, replies: dict[str, str]) -> None:
        self.replies, self.letters, self.port = replies, list[bytes](), 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post\r\n")
        while line := await reader.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            writer.write((self.replies.get(verb, "250 ok") + "\r\n").encode())
            if verb == "QUIT":
                break
            if verb == "DATA" and self.replies.get("DATA", "354").startswith("354"):
                self.letters.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write((self.replies.get("END", "250 ok") + "\r\n").encode())
        writer.close()


@asynccontextmanager
async def post(**replies: str) -> AsyncIterator[Post]:
    made = Post({"DATA": "354 go", **replies})
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def mailer(port: int, query: str = "") -> SmtpMailer:
    return SmtpMailer(SmtpServer.of(f"smtp://127.0.0.1:{port}{query}"), SENDER, seconds=2)


async def test_a_letter_reaches_the_server_once() -> None:
    async with post() as office:
        await mailer(office.port).send(LETTER)
        assert len(office.letters) == 1
        assert b"To: =?utf-8?" in office.letters[0]
        assert office.letters[0].isascii()


async def test_F23_a_server_that_stumbles_after_it_took_the_letter_does_not_get_it_twice() -> None:
    async with post(QUIT="421 confused") as office:
        await mailer(office.port).send(LETTER)
        assert len(office.letters) == 1


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"RCPT": "550 no such user"}, MailRefused),
        ({"RCPT": "450 greylisted"}, MailDelayed),
        ({"MAIL": "552 too big"}, MailRefused),
        ({"END": "554 spam"}, MailRefused),
        ({"END": "451 try later"}, MailDelayed),
        ({"EHLO": "421 busy", "HELO": "421 busy"}, MailDelayed),
    ],
)
async def test_F23_refused_for_good_or_for_now(replies: dict[str, str], error: type[Exception]) -> None:
    async with post(**replies) as office:
        with pytest.raises(error) as raised:
            await mailer(office.port).send(LETTER)
        assert "no such user" not in str(raised.value)


async def test_F23_a_server_that_is_away_or_hangs() -> None:
    async with post() as office:
        port = office.port
    with pytest.raises(MailDelayed):
        await mailer(port).send(LETTER)

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.5)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    slow = mailer(server.sockets[0].getsockname()[1])
    slow.seconds = 0.2
    with pytest.raises(MailDelayed):
        await slow.send(LETTER)
    server.close()


async def test_no_password_over_an_open_line() -> None:
    async with post() as office:
        with pytest.raises(MailDelayed):
            await mailer(office.port, "?starttls=required").send(LETTER)
        assert office.letters == []
