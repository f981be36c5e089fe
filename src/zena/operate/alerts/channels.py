"""The channels that the settings describe."""

from typing import TYPE_CHECKING

from zena.kit.clock import Clock
from zena.kit.mail import Mailer
from zena.operate.alerts.contract import Channel
from zena.operate.alerts.mailed import Mailed
from zena.operate.alerts.pagerduty import PagerDuty
from zena.operate.alerts.slack import Slack
from zena.operate.alerts.webhook import Webhook
from zena.settings.types import hidden

if TYPE_CHECKING:
    from pydantic import SecretStr

    from zena.settings import Settings


def channels(settings: "Settings", mailer: Mailer, clock: Clock) -> dict[str, Channel]:
    """Return the channels that are set, by name, in the order of Settings.alert_channels."""
    made = (_one(settings, name, mailer, clock) for name in settings.alert_channels)
    return {one.name: one for one in made}


def _one(settings: "Settings", name: str, mailer: Mailer, clock: Clock) -> Channel:
    networks = settings.alert_networks
    if name == "slack":
        token, channel = _plain(settings.alert_slack_token), settings.alert_slack_channel or ""
        return Slack(settings.alert_slack_url, token, channel, networks)
    if name == "pagerduty":
        return PagerDuty(settings.alert_pagerduty_url, _plain(settings.alert_pagerduty_key), networks)
    if name == "webhook":
        url = _plain(settings.alert_webhook_url)
        return Webhook(url, _plain(settings.alert_webhook_secret), hidden(url), clock, networks)
    return Mailed(name.removeprefix("mail:"), mailer)


def _plain(secret: "SecretStr | None") -> str:
    return secret.get_secret_value() if secret is not None else ""
