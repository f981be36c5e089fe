"""Connections to PostgreSQL: one SQLAlchemy engine and one raw asyncpg pool per process, both as the app role."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import msgspec
from sqlalchemy import BigInteger, ForeignKeyConstraint, MetaData, Text, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TIMESTAMP

from zena.kit.ids import new_id
from zena.kit.measured import measure_engine, measured_connection
from zena.kit.telemetry import Telemetry

if TYPE_CHECKING:
    Raw: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Raw = asyncpg.Connection  # takes no parameters at run time, and the framework resolves the types of handlers

INSTANT = TIMESTAMP(timezone=True)


class Base(DeclarativeBase):
    """Root of all tables; constraint names are derived so that migrations can name them."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text(), int: BigInteger(), datetime: INSTANT}

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TenantRow:
    """Mixin of every tenant table: the primary key starts with the tenant (architecture.md, section 2)."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)


def tenant_fk(column: str, table: str, *, ondelete: str | None = None) -> ForeignKeyConstraint:
    """Return the composite foreign key `(tenant_id, column) -> table(tenant_id, id)`; plain keys would bypass RLS."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=ondelete)


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """What one process needs to know of the database. Timeouts in seconds."""

    url: str
    direct_url: str | None = None
    pool_size: int = 8
    pool_timeout: float = 2.0  # past it the caller answers 503 (F-07)
    statement_timeout: float = 5.0
    lock_timeout: float = 2.0
    application: str = "zena"
    pooled: bool = False  # a transaction pooler (PgBouncer) stands between: no named statements
    read_only: bool = False  # transactions begin read only; a pooler takes no settings of a session, so not with one

    def connect_args(self) -> dict[str, Any]:
        settings = {
            "application_name": self.application,
            "statement_timeout": str(int(self.statement_timeout * 1000)),
            "lock_timeout": str(int(self.lock_timeout * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "timezone": "UTC",
        } | ({"default_transaction_read_only": "on"} if self.read_only else {})
        args: dict[str, Any] = {"timeout": 5, "command_timeout": self.statement_timeout + 2}
        if self.pooled:
            return args | {"statement_cache_size": 0}
        return args | {"server_settings": settings}


class PoolExhaustedError(TimeoutError):
    """No raw connection came free within `pool_timeout`."""


class Database:
    """The process's way to PostgreSQL. `start` opens the pools, `stop` closes them."""

    def __init__(self, options: DatabaseOptions, telemetry: Telemetry | None = None) -> None:
        self.options = options
        self.telemetry = telemetry or Telemetry()
        self.engine: AsyncEngine = _engine(options, self.telemetry)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._generation = 0
        event.listen(self.engine.sync_engine, "checkout", self._refuse_outdated)

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Raw connections for the hot reads."""
        if self._pool is None:
            raise RuntimeError("Database.start() has not been called")
        return self._pool

    async def start(self) -> None:
        options = self.options
        self._pool = await asyncpg.create_pool(
            dsn=asyncpg_dsn(options.url),
            min_size=0,
            max_size=options.pool_size,
            init=set_json_codecs,
            connection_class=measured_connection(self.telemetry, pooled=self.options.pooled),
            reset=leave_as_is,
            **options.connect_args(),
        )

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Raw]:
        """Lend a raw connection; raises PoolExhaustedError where none comes free within `pool_timeout`."""
        began = perf_counter()
        try:
            connection = await self.pool.acquire(timeout=self.options.pool_timeout)
        except TimeoutError as error:
            raise PoolExhaustedError from error
        finally:
            self.telemetry.wait(perf_counter() - began)
        try:
            yield connection
        finally:
            await self.pool.release(connection)

    async def renew(self) -> None:
        """Use no connection again that is open now: the role's settings have changed. Those lent out end first."""
        self._generation += 1
        if self._pool is not None:
            await self._pool.expire_connections()

    def _refuse_outdated(self, _connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info.setdefault("generation", self._generation) != self._generation:
            raise DisconnectionError("opened before the role's settings changed")

    async def stop(self) -> None:
        """Close both pools. A connection that is still lent after `pool_timeout` is cut off: nobody stops for ever."""
        if self._pool is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.options.pool_timeout):
                    await self._pool.close()
            self._pool = None
        await self.engine.dispose()

    async def direct(self) -> Raw:
        """Open a connection of its own for LISTEN and advisory locks; the caller closes it."""
        url = self.options.direct_url or self.options.url
        args = self.options.connect_args()
        if "server_settings" in args:
            args["server_settings"]["application_name"] += "-direct"
        connection = await asyncpg.connect(dsn=asyncpg_dsn(url), **args)
        await set_json_codecs(connection)
        return connection


@asynccontextmanager
async def dialled(url: str, application: str, *, patience: float = 10.0) -> AsyncIterator[Raw]:
    """Open a connection outside of every pool, for one piece of work. `patience` bounds each statement, seconds."""
    server = {"application_name": application, "timezone": "UTC"}
    conn = await asyncpg.connect(asyncpg_dsn(url), timeout=5, command_timeout=patience, server_settings=server)
    try:
        await set_json_codecs(conn)
        yield conn
    finally:
        await conn.close(timeout=5)


async def raw(session: AsyncSession) -> Raw:
    """Return the asyncpg connection under a session, inside the session's open transaction."""
    connection = await session.connection()
    driver: Raw = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():
        # SQLAlchemy begins lazily; a raw statement sent before would commit on its own.
        await connection.exec_driver_sql("SELECT 1")
    return driver


def asyncpg_dsn(url: str) -> str:
    """Return a DSN asyncpg takes, from any spelling of a PostgreSQL URL."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def sqlalchemy_url(url: str) -> str:
    """Return the URL with our driver named (a bare `postgresql://` would select psycopg) and TLS asked its way."""
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
    return parsed.set(query=query).render_as_string(hide_password=False)


def _engine(options: DatabaseOptions, telemetry: Telemetry) -> AsyncEngine:
    measured = measured_connection(telemetry, pooled=options.pooled)
    connect_args = options.connect_args() | {"connection_class": measured}
    if options.pooled:
        connect_args |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: f"z{uuid4().hex}"}
    engine = create_async_engine(
        sqlalchemy_url(options.url),
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.pool_timeout,
        pool_recycle=1800,
        connect_args=connect_args,
        hide_parameters=True,  # what people typed stays out of tracebacks and logs
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    measure_engine(engine, telemetry)
    return engine


async def leave_as_is(connection: Any) -> None:
    """Spare the round trip of RESET ALL: what we set is local to its transaction, and the pool ends those itself."""


def _refuse_closed(connection: Any, *_: object) -> None:
    """Have the pool replace what the server has closed meanwhile, so that no request pays for a restart before it."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


async def set_json_codecs(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="text", encoder=_encode_json, decoder=msgspec.json.decode
    )


def _encode_json(value: Mapping[str, Any] | list[Any]) -> str:
    return msgspec.json.encode(value).decode()
