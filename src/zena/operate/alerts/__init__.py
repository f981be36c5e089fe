"""Alerts: what waits to be told is put into words and sent: by Slack, PagerDuty, mail or a signed webhook."""
