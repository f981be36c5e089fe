"""Letters: one address is one channel, so that nobody gets a letter twice because another's server is away."""

from dataclasses import dataclass

from zena.kit.mail import Letter, MailDelayed, Mailer, MailRefused
from zena.operate.alerts.contract import Answer, Notice
from zena.operate.alerts.words import headline, lines

_SUBJECT = 180


@dataclass(frozen=True, slots=True)
class Mailed:
    """An operator's address."""

    address: str
    mailer: Mailer

    @property
    def name(self) -> str:
        return f"mail:{self.address}"

    @property
    def where(self) -> str:
        return self.address

    async def send(self, notice: Notice) -> Answer:
        subject = f"[Zena] {headline(notice)}"[:_SUBJECT]
        thread = (
            f"<zena-{notice.incident or notice.key}@{notice.host}>"  # has mail programs show an incident as one talk
        )
        headers = (("References", thread), ("Idempotency-Key", notice.key))
        try:
            await self.mailer.send(Letter(self.address, subject, "\n".join(lines(notice)) + "\n", headers=headers))
        except MailRefused as error:
            return Answer(taken=False, says=str(error), final=True)
        except MailDelayed as error:
            return Answer(taken=False, says=str(error))
        return Answer(taken=True, says="the mail server took it")
