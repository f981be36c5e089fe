"""The settings themselves. The description of each field is what `zena config show` and the documentation say."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from zena.settings.alerts import AlertSettings
from zena.settings.places import default_data_dir
from zena.settings.types import (
    DatabaseUrl,
    LogChannels,
    MailAddress,
    Networks,
    PageUrl,
    RedisUrl,
    Sentinel,
    SmtpUrl,
    SocketUrl,
    StorageUrl,
    Symptoms,
)

Environment = Literal["production", "development", "test", "lab"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1000)]
Bytes = Annotated[int, Field(ge=1024, le=2**40)]
Rate = Annotated[int, Field(ge=1, le=1_000_000)]


class Role(StrEnum):
    """The database roles; each has its own URL."""

    APP = "app"
    OWNER = "owner"
    OPS = "ops"
    OPS_READ = "ops_read"
    BACKUP = "backup"


class Settings(AlertSettings):
    """What an installation may decide. Immutable; `load_settings` reads the environment, the constructor does not."""

    model_config = SettingsConfigDict(env_prefix="ZENA_", frozen=True, extra="forbid", validate_default=False)

    env: Environment = Field("production", description="What this installation is for. `lab` allows injected faults.")
    debug: bool = Field(False, description="Toolbar and traces in pages; refused in production.")  # noqa: FBT003 - pydantic's default
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Directory of the embedded database, files, keys and logs."
    )
    config_file: Path | None = Field(
        None,
        description="File of further settings, `NAME=value` lines; the environment wins. Empty: none is read."
        " Default: DATA_DIR/zena.env, if it is there.",
    )
    key_file: Path | None = Field(
        None, description="Ring of secret keys, made at first start. Default: DATA_DIR/secret.key."
    )

    backup_dir: Path | None = Field(
        None, description="Where backups are kept; another disk is better. Default: DATA_DIR/backups."
    )
    backup_key_file: Path | None = Field(
        None, description="Ring of keys that seal backups; keep a copy elsewhere. Default: DATA_DIR/backup.key."
    )
    backup_wal: bool = Field(
        False,  # noqa: FBT003 - pydantic's default
        description="Keep every change of the embedded database between backups too, to go back to any moment.",
    )
    backup_keep: Count = Field(14, description="Backups kept; the oldest are removed after a new one.")

    host: str = Field("127.0.0.1", min_length=1, description="Address the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the server listens on; 0 takes a free one.")
    public_url: PageUrl = Field("", description="Address in people's browsers. Default: http://localhost:PORT.")
    websocket_url: SocketUrl | None = Field(
        None,
        description="Address of the live connection if it is not at PUBLIC_URL/ws. With WEBSOCKET_PROCESSES and a plain"
        " http PUBLIC_URL the default is ws://HOST:WEBSOCKET_PORT/ws.",
    )
    websocket_port: int = Field(8080, ge=0, le=65535, description="Port of the processes for live connections alone.")
    websocket_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes of `zena serve` for live connections alone; 0: the web processes take them.",
    )
    websocket_connections: Count = Field(
        50, description="Live connections of one firm, in each process that takes them."
    )
    trusted_proxies: Networks = Field(
        (), description="Addresses whose forwarding headers are believed, separated by commas."
    )

    database_url: DatabaseUrl | None = Field(
        None, description="PostgreSQL as zena_app; without it the embedded server runs. DATABASE_URL is read too."
    )
    database_owner_url: DatabaseUrl | None = Field(None, description="The same database as zena_owner, for migrations.")
    database_ops_url: DatabaseUrl | None = Field(
        None, description="The same database as zena_ops, for the operations leader."
    )
    database_ops_read_url: DatabaseUrl | None = Field(
        None, description="The same database as zena_ops_read, for diagnosis."
    )
    database_backup_url: DatabaseUrl | None = Field(None, description="The same database as zena_backup.")
    database_direct_url: DatabaseUrl | None = Field(
        None, description="As DATABASE_URL, past a transaction pooler: for LISTEN and advisory locks."
    )
    database_plaintext: bool = Field(
        False,  # noqa: FBT003 - pydantic's default
        description="Allow an unencrypted connection to a remote database in production.",
    )
    pool_size: Count = Field(8, description="Database connections of one web process.")
    worker_pool_size: Count = Field(6, description="Database connections of one worker process.")
    pool_timeout: Seconds = Field(2.0, description="Longest wait for a free connection, seconds.")
    statement_timeout: Seconds = Field(5.0, description="Longest statement of a web request, seconds.")
    worker_statement_timeout: Seconds = Field(60.0, description="Longest statement of a job, seconds.")
    lock_timeout: Seconds = Field(2.0, description="Longest wait for a lock, seconds.")

    redis_url: RedisUrl | None = Field(None, description="Redis or Valkey for a shared cache. REDIS_URL is read too.")
    storage_url: StorageUrl | None = Field(
        None, description="Where uploads lie: file:///path or s3://bucket. Default: DATA_DIR/files."
    )
    smtp_url: SmtpUrl | None = Field(
        None, description="Mail server, smtp://user:password@host:587. Without it mail is printed."
    )
    mail_from: MailAddress | None = Field(None, description="Sender of mails; needed with SMTP_URL.")

    web_processes: int = Field(1, ge=1, le=64, description="Web processes of `zena serve`.")
    worker_processes: int = Field(1, ge=0, le=64, description="Worker processes of `zena serve`.")
    telemetry: bool = Field(True, description="Measure requests, statements, jobs and the cache.")  # noqa: FBT003 - pydantic's default
    pace: float = Field(
        1.0, gt=0, le=1, description="Scales the windows of measuring and watching; other than 1 with ENV=lab only."
    )
    sentinel: Sentinel = Field("auto", description="Where Zena tries itself: `auto` is here; a URL, or `none`.")
    automatic: Symptoms = Field(("T2",), description="Symptoms whose R1 remedies are applied unasked, or `none`.")

    log_level: LogLevel = Field("info", description="Least severity that is logged.")
    log_channels: LogChannels = Field(
        ("app", "audit", "security", "performance", "jobs"),
        description="Channels that are written, each with a severity of its own if wanted: app,security,jobs=warning.",
    )
    log_output: Literal["both", "console", "files"] = Field("both", description="Where log lines go.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Log lines on the console: auto is text on a terminal, else JSON. Files are always JSON."
    )
    log_dir: Path | None = Field(None, description="Directory of the log files. Default: DATA_DIR/logs.")
    log_max_bytes: Bytes = Field(10_000_000, description="Size at which a log file is rotated.")
    log_keep: Count = Field(5, description="Rotated files kept of each channel.")

    import_max_rows: int = Field(10_000, ge=1, le=1_000_000, description="Rows of one import.")
    import_max_bytes: Bytes = Field(10_000_000, description="Size of one import file.")
    upload_max_bytes: Bytes = Field(50_000_000, description="Size of one upload.")
    tenant_storage_bytes: Bytes = Field(10_000_000_000, description="Size of all files of one tenant.")

    session_idle_hours: int = Field(72, ge=1, le=24 * 90, description="A session unused for so long ends.")
    session_absolute_days: int = Field(30, ge=1, le=365, description="A session ends after so long in any case.")
    rate_user: Rate = Field(600, description="Requests per minute of one user.")
    rate_tenant: Rate = Field(6_000, description="Requests per minute of one tenant.")
    rate_anonymous: Rate = Field(120, description="Requests per minute of one address that is not signed in.")
    rate_sign_in: Rate = Field(10, description="Failed sign-ins per 15 minutes of one account and address.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take constructor arguments only, so that a test or a tool never picks up a stray variable."""
        return (init_settings,)

    def model_post_init(self, _context: Any, /) -> None:
        """Fill in the defaults that follow from other settings."""
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://localhost:{self.port}")
        if self.websocket_processes and self.websocket_url is None and self.public_url.startswith("http://"):
            host = urlsplit(self.public_url).netloc.rpartition("@")[2]
            name = host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]
            object.__setattr__(self, "websocket_url", f"ws://{name}:{self.websocket_port}/ws")
        object.__setattr__(self, "data_dir", self.data_dir.expanduser().absolute())

    @property
    def embedded(self) -> bool:
        """Whether the database is ours to start."""
        return self.database_url is None

    @property
    def embedded_database(self) -> str:
        """Name of the embedded database: faults are injected into a lab's only, and its name says that it is one."""
        return "zena_lab" if self.env == "lab" else "zena"

    @property
    def pooled(self) -> bool:
        """Whether a transaction pooler stands between: no session state, no named statements."""
        return self.database_direct_url is not None and self.database_direct_url != self.database_url

    @property
    def keys_path(self) -> Path:
        return self.key_file or self.data_dir / "secret.key"

    @property
    def files_path(self) -> Path:
        return self.data_dir / "files"

    @property
    def logs_path(self) -> Path:
        return (self.log_dir or self.data_dir / "logs").expanduser().absolute()

    @property
    def backups_path(self) -> Path:
        return self.backup_dir or self.data_dir / "backups"

    @property
    def backup_key_path(self) -> Path:
        return self.backup_key_file or self.data_dir / "backup.key"

    @property
    def public_host(self) -> str:
        """Host name in people's browsers, without the port."""
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers treat the public address as a secure context (https, or this very machine)."""
        host = self.public_host
        local = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
        return local or self.public_url.startswith("https://")

    def secret_url(self, role: Role) -> SecretStr | None:
        """The configured URL of a role, masked when printed."""
        value: SecretStr | None = self.database_url if role is Role.APP else getattr(self, f"database_{role}_url")
        return value

    def dsn(self, role: Role = Role.APP) -> str:
        """Return the URL of a role in clear; LookupError names the missing variable."""
        url = self.secret_url(role)
        if url is None:
            raise LookupError("ZENA_DATABASE_URL" if role is Role.APP else f"ZENA_DATABASE_{role.upper()}_URL")
        return url.get_secret_value()

    @property
    def direct_dsn(self) -> str:
        """The app role's URL past any pooler."""
        return self.database_direct_url.get_secret_value() if self.database_direct_url else self.dsn()
