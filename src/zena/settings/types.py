"""The value types of settings: how a string of the environment becomes a checked value."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StringConstraints
from pydantic_settings import NoDecode

Network: TypeAlias = IPv4Network | IPv6Network

#: Passwords that stand in examples and default installations everywhere.
_KNOWN = """
admin changeme change_me change-me default example guest insecure letmein passw0rd password postgres qwerty root
sample secret test user your-secret-key zena zena_app zena_owner zena_ops zena_backup 12345678 123456789 1234567890
"""
_RUNBOOK = "D1 D2 A1 A2 B1 B2 C1 C2 Q1 Q2 W1 W2 T1 T2 U1 E1 P1 X1 X2"
SYMPTOMS = frozenset(_RUNBOOK.split())
KNOWN_SECRETS = frozenset(_KNOWN.split())
SHORTEST_SECRET = 12
SHORTEST_SIGNING = 16
CHANNELS = ("app", "audit", "security", "performance", "jobs")
LEVELS = ("debug", "info", "warning", "error", "critical")
_PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):([^@/?#]*)@|(?<=[?&]password=)([^&#]*)")


def masked(url: str) -> str:
    """Return a URL with its password replaced, for people to read."""
    return _PASSWORD.sub(lambda m: f"{m[1]}:***@" if m[1] is not None else "***", url)


def hidden(secret: str) -> str:
    """Return what may be shown of a secret: of an address its host, or all but the password; of anything else nothing.

    The path of an address to which things are posted is often the key to it.
    """
    if "://" not in secret:
        return "***"
    scheme, _, rest = secret.partition("://")
    if scheme not in {"http", "https"}:
        return masked(secret)
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{'/***' if slash and path else ''}"


def _split(value: str, kind: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"a {kind} URL ({error})") from error
    return parts


def _url(value: SecretStr, kind: str, schemes: frozenset[str]) -> SecretStr:
    parts = _split(value.get_secret_value(), kind)
    if parts.scheme not in schemes or not (parts.netloc or parts.path or parts.query):
        raise ValueError(f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}")
    return value


def _database(value: SecretStr) -> SecretStr:
    parts = _split(value.get_secret_value(), "PostgreSQL")
    scheme, _, driver = parts.scheme.partition("+")
    if scheme not in {"postgresql", "postgres"} or driver not in {"", "asyncpg"}:
        raise ValueError("a URL like postgresql://user:password@host:5432/zena")
    if parts.path in {"", "/"}:
        raise ValueError("a URL that names a database, like postgresql://user:password@host:5432/zena")
    # urlunsplit() would drop the empty host of postgresql:///zena?host=/run/postgresql.
    return SecretStr(value.get_secret_value().replace(parts.scheme, "postgresql", 1))


def _page(value: str) -> str:
    parts = _split(value, "page")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("an address like https://zena.example.com, without user, query or fragment")
    if parts.path.rstrip("/"):
        raise ValueError("an address without a path; Zena wants a host name of its own")
    return value.rstrip("/")


def _socket(value: str) -> str:
    parts = _split(value, "socket")
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("an address like wss://live.example.com/ws")
    if not parts.path.strip("/"):
        return value.rstrip("/") + "/ws"
    if not parts.path.endswith("/ws"):
        raise ValueError("an address that ends in /ws: that is where live connections are taken")
    return value


def _networks(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(_network(part) for part in re.split(r"[,\s]+", value.strip()) if part)
    return value


def _network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"addresses or networks like 10.0.0.5, 10.0.0.0/8, fd00::/8; {text!r} is none") from error
    if network.prefixlen == 0:
        raise ValueError(f"the addresses of your own proxies; {text} would let every visitor forge an address")
    return network


def _address(value: str) -> str:
    if not re.fullmatch(r"[^\s@<>\"]+@[^\s@<>\"]+|[^<>\r\n]{1,80} <[^\s@<>\"]+@[^\s@<>\"]+>", value):
        raise ValueError("an address like zena@example.com or Zena <zena@example.com>")
    return value


def scheme_of(*schemes: str) -> AfterValidator:
    """Accept a secret URL with one of the schemes."""
    return AfterValidator(lambda value: _url(value, schemes[0], frozenset(schemes)))


def _channels(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    given = tuple(part.lower() for part in re.split(r"[,\s]+", value.strip()) if part)
    for part in given:
        name, _, level = part.partition("=")
        if name not in CHANNELS or ("=" in part and level not in LEVELS):
            raise ValueError(f"channels ({', '.join(CHANNELS)}), such as app,security,jobs=warning; {part!r} is none")
    return given


def _symptoms(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    given = tuple(part.upper() for part in re.split(r"[,\s]+", value.strip()) if part)
    if given == ("NONE",):
        return ()
    for part in given:
        if part not in SYMPTOMS:
            raise ValueError(f"symptoms of the runbook, such as T2,B1, or none; {part!r} is none of them")
    return given


def _addresses(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    given = tuple(part for part in re.split(r"[,\s]+", value.strip()) if part)
    for part in given:
        if not re.fullmatch(r"[^\s@<>\":]+@[^\s@<>\":]+", part):
            raise ValueError(f"addresses like ops@example.com, separated by commas; {part[:80]!r} is none")
    return tuple(dict.fromkeys(given))


def _token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError("a key as the other side shows it: letters, digits and signs, without blanks")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_SIGNING:
        raise ValueError(f"a secret of at least {SHORTEST_SIGNING} characters; `openssl rand -hex 32` makes one")
    return value


def _api(value: str) -> str:
    parts = _split(value, "web")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("an address like https://alerts.example.com/hook, without user or fragment")
    return value.rstrip("/")


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]
RedisUrl = Annotated[SecretStr, scheme_of("redis", "rediss", "unix")]
StorageUrl = Annotated[SecretStr, scheme_of("file", "s3")]
SmtpUrl = Annotated[SecretStr, scheme_of("smtp", "smtps")]
PageUrl = Annotated[str, AfterValidator(_page)]
SocketUrl = Annotated[str, AfterValidator(_socket)]
MailAddress = Annotated[str, AfterValidator(_address)]
MailAddresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_addresses)]
Token = Annotated[SecretStr, AfterValidator(_token)]
AlertSecret = Annotated[SecretStr, AfterValidator(_secret)]
ApiUrl = Annotated[str, AfterValidator(_api)]
HookUrl = Annotated[SecretStr, AfterValidator(lambda value: SecretStr(_api(value.get_secret_value())))]
LogChannels = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_channels)]
#: Where the sentinel asks: `auto`, an address, or `none`.
Sentinel = Annotated[str, StringConstraints(pattern=r"^(auto|none|https?://\S+)$")]
Symptoms = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_symptoms)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)]


def weakness(url: str) -> str | None:
    """Return why the password inside a URL is no secret, or None. No password at all is no weakness (peer, unix)."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    if password is None:
        return None
    if password.lower() in KNOWN_SECRETS:
        return "a password of its own; this one stands in every list"
    if len(password) < SHORTEST_SECRET:
        return f"a password of at least {SHORTEST_SECRET} characters"
    return None
