"""Whom an incident is told to: the settings of each channel."""

from pydantic import Field
from pydantic_settings import BaseSettings

from zena.settings.types import AlertSecret, ApiUrl, HookUrl, MailAddresses, Networks, Token


class AlertSettings(BaseSettings):
    """The channels of alerts; each is there once all of its settings are."""

    alert_slack_token: Token | None = Field(None, description="Bot token of a Slack app that may chat:write.")
    alert_slack_channel: str | None = Field(None, min_length=1, description="Slack channel that hears of incidents.")
    alert_slack_url: ApiUrl = Field("https://slack.com/api", description="Slack's API, or a gateway to it.")
    alert_pagerduty_key: Token | None = Field(
        None, description="Integration key of a PagerDuty service (Events API v2): who is paged."
    )
    alert_pagerduty_url: ApiUrl = Field(
        "https://events.pagerduty.com", description="PagerDuty's Events API, or a gateway that speaks it."
    )
    alert_mail: MailAddresses = Field(
        (), description="Addresses that hear of incidents, separated by commas; needs SMTP_URL."
    )
    alert_webhook_url: HookUrl | None = Field(None, description="Address that incidents are posted to, signed.")
    alert_webhook_secret: AlertSecret | None = Field(
        None, description="Secret that signs what is posted to ALERT_WEBHOOK_URL: 16 characters or more."
    )
    alert_networks: Networks = Field(
        (), description="Inner networks that channels of alerts may lie in, separated by commas; others are refused."
    )

    @property
    def alert_channels(self) -> tuple[str, ...]:
        """The channels that are set: slack, pagerduty, webhook, and mail:ADDRESS for each address."""
        there = {
            "slack": self.alert_slack_token and self.alert_slack_channel,
            "pagerduty": self.alert_pagerduty_key,
            "webhook": self.alert_webhook_url and self.alert_webhook_secret,
        }
        return (*(name for name, whole in there.items() if whole), *(f"mail:{address}" for address in self.alert_mail))
