"""Settings that name a database: the configured one, the embedded one that runs, or one started for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from zena.kit.embedded.cluster import EmbeddedPostgres
from zena.kit.embedded.config import ARCHIVING
from zena.kit.embedded.running import urls_of_running
from zena.kit.embedded.urls import AlreadyRunning, ClusterUrls, EmbeddedError
from zena.kit.roles import ROLES
from zena.settings import Settings


def attach(settings: Settings) -> Settings:
    """Return settings with all database URLs, configured or of the running embedded server; else EmbeddedError."""
    if not settings.embedded:
        return settings
    urls = urls_of_running(settings.data_dir)
    if urls is None:
        raise EmbeddedError(f"no database runs in {settings.data_dir}: start `zena serve`, or set ZENA_DATABASE_URL")
    return with_urls(settings, urls)


@contextmanager
def attached(settings: Settings) -> Iterator[Settings]:
    """As `attach`, but start the embedded server for the duration if none runs. Call from the main thread."""
    if not settings.embedded:
        yield settings
        return
    options = ARCHIVING if settings.backup_wal else None
    server = EmbeddedPostgres(settings.data_dir, database=settings.embedded_database, options=options)
    try:
        urls = server.start()
    except AlreadyRunning:
        # Held, so it is there to stay: a server that answers and is held by nobody is about to end.
        urls = None
        if urls_of_running(settings.data_dir) is None:
            raise
    try:
        yield attach(settings) if urls is None else with_urls(settings, urls)
    finally:
        server.stop()


def with_urls(settings: Settings, urls: ClusterUrls) -> Settings:
    names = {role: "database_url" if role == "app" else f"database_{role}_url" for role in ROLES}
    return settings.model_copy(update={name: SecretStr(getattr(urls, role)) for role, name in names.items()})
