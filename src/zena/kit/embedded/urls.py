"""How to reach an embedded server, and what can be wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from zena.kit.roles import DATABASE, ROLES

SUPERUSER = "postgres"


class EmbeddedError(Exception):
    """The embedded server cannot run here; the message says what to do."""


class AlreadyRunning(EmbeddedError):  # noqa: N818 - says what is, as its base says that it is an error
    """Another process serves this data directory."""


@dataclass(frozen=True, slots=True)
class ClusterUrls:
    """One URL per role, passwords included; the repr shows none. `direct` is the app's URL past any pooler."""

    app: str = field(repr=False)
    owner: str = field(repr=False)
    ops: str = field(repr=False)
    ops_read: str = field(repr=False)
    backup: str = field(repr=False)
    superuser: str = field(repr=False)
    direct: str = field(repr=False)

    @classmethod
    def of(
        cls, passwords: Mapping[str, str], sockets: Path, *, port: int | None, database: str = DATABASE
    ) -> "ClusterUrls":
        """Return the URLs of a server that listens in the directory `sockets`, or also on a port of this machine."""
        # Spaces and non-ASCII in the path survive as percent escapes; every client decodes them.
        host, query = (f"127.0.0.1:{port}", "") if port else ("", f"?host={quote(str(sockets), safe='/')}")

        def url(role: str, user: str) -> str:
            return f"postgresql://{user}:{quote(passwords[role], safe='')}@{host}/{database}{query}"

        urls = {role: url(role, user) for role, user in ROLES.items()}
        return cls(**urls, superuser=url("superuser", SUPERUSER), direct=urls["app"])

    def environment(self) -> dict[str, str]:
        """Return the settings variables that point a process of ours at this server."""
        names = {role: "ZENA_DATABASE_URL" if role == "app" else f"ZENA_DATABASE_{role.upper()}_URL" for role in ROLES}
        return {name: getattr(self, role) for role, name in names.items()}
