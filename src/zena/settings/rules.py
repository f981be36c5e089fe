"""Rules over several settings, and the refusal of secrets that are none."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from zena.settings.alerts import AlertSettings
from zena.settings.model import Settings
from zena.settings.problems import Problem
from zena.settings.types import masked, weakness

_ENCRYPTED = {"require", "verify-ca", "verify-full"}
_URLS = (
    "database_url",
    "database_owner_url",
    "database_ops_url",
    "database_ops_read_url",
    "database_backup_url",
    "database_direct_url",
    "redis_url",
    "storage_url",
    "smtp_url",
)


def contradictions(settings: Settings, refused: frozenset[str] = frozenset()) -> list[Problem]:
    """Return what is wrong with settings that are well formed one by one.

    `refused` names those that were not and have their defaults here: what depends on one of them is left unsaid.
    """
    problems: list[Problem] = []
    for rule, on in (
        (_database, {"database_url"}),
        (_mail, {"mail_from"}),
        (_alerts, {*AlertSettings.model_fields, "smtp_url"}),
        (_websocket, {"websocket_url", "websocket_port", "public_url", "port"}),
        (_sessions, {"session_idle_hours", "session_absolute_days"}),
        (_production, {"env"}),
        (_lab, {"env", "pace"}),
    ):
        if refused.isdisjoint(on):
            problems += rule(settings)
    return problems


def _database(settings: Settings) -> Iterator[Problem]:
    if not settings.embedded:
        return
    for name in _URLS:
        if name.startswith("database_") and getattr(settings, name) is not None:
            yield Problem(
                f"ZENA_{name.upper()}", "a URL", "ZENA_DATABASE_URL beside it, or neither (embedded database)"
            )


def _mail(settings: Settings) -> Iterator[Problem]:
    if settings.smtp_url is not None and settings.mail_from is None:
        yield Problem("ZENA_MAIL_FROM", "nothing", "the sender's address, because ZENA_SMTP_URL is set")


def _alerts(settings: Settings) -> Iterator[Problem]:
    """A channel that lacks a part would be silent, and only be missed in the night it is needed."""
    for one, other in (("slack_token", "slack_channel"), ("webhook_url", "webhook_secret")):
        there = [name for name in (one, other) if getattr(settings, f"alert_{name}") is not None]
        if len(there) == 1:
            missing = other if there == [one] else one
            yield Problem(
                f"ZENA_ALERT_{missing.upper()}", "nothing", f"a value, because ZENA_ALERT_{there[0].upper()} is set"
            )
    if settings.alert_mail and settings.smtp_url is None:
        yield Problem("ZENA_SMTP_URL", "nothing", "the mail server, because ZENA_ALERT_MAIL is set")


def _websocket(settings: Settings) -> Iterator[Problem]:
    if not settings.websocket_processes:
        return
    if settings.websocket_url is None:
        wanted = "the address under which browsers reach ZENA_WEBSOCKET_PORT: an https page opens wss only"
        yield Problem("ZENA_WEBSOCKET_URL", "nothing", wanted)
    if settings.websocket_port == settings.port != 0:
        yield Problem("ZENA_WEBSOCKET_PORT", str(settings.websocket_port), "another port than ZENA_PORT")


def _sessions(settings: Settings) -> Iterator[Problem]:
    if settings.session_idle_hours > settings.session_absolute_days * 24:
        yield Problem(
            "ZENA_SESSION_IDLE_HOURS",
            str(settings.session_idle_hours),
            f"at most ZENA_SESSION_ABSOLUTE_DAYS, {settings.session_absolute_days} days",
        )


def _lab(settings: Settings) -> Iterator[Problem]:
    if settings.pace != 1 and settings.env != "lab":
        yield Problem("ZENA_PACE", f"{settings.pace:g}", "1, because ZENA_ENV is not lab")


def _production(settings: Settings) -> Iterator[Problem]:
    if settings.env != "production":
        return
    if settings.debug:
        yield Problem("ZENA_DEBUG", "true", "no debugging in production")
    for name in _URLS:
        secret = getattr(settings, name)
        if secret is None:
            continue
        url, variable = secret.get_secret_value(), f"ZENA_{name.upper()}"
        weak = weakness(url)
        if weak:
            yield Problem(variable, masked(url), weak)
        if name.startswith("database_") and not settings.database_plaintext and not _encrypted(url):
            yield Problem(
                variable,
                masked(url),
                "sslmode=verify-full (or require), or ZENA_DATABASE_PLAINTEXT=true in a network you trust",
            )


def _encrypted(url: str) -> bool:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = query.get("host", [parts.hostname or ""])[0]
    if not host or host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}:
        return True
    return query.get("sslmode", query.get("ssl", ["prefer"]))[0] in _ENCRYPTED
