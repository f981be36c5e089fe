"""People and their ways in. None belongs to a tenant, save API tokens: these are the reviewed tables without one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from zena.kit.db import Base, TenantRow, tenant_fk
from zena.kit.ids import new_id


class UserAccount(Base):
    """A person, once for the whole installation; memberships join them to firms.

    What proves who they are is loaded only where a query asks for the group `secrets`.
    """

    __tablename__ = "user_account"
    __table_args__ = (UniqueConstraint("email"), CheckConstraint("email = lower(email)", name="email_folded"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str]
    sort_key: Mapped[str] = mapped_column(server_default="")
    password_hash: Mapped[str | None] = mapped_column(deferred=True, deferred_group="secrets", deferred_raiseload=True)
    is_active: Mapped[bool] = mapped_column(server_default="true")
    is_operator: Mapped[bool] = mapped_column(server_default="false")
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    theme: Mapped[str] = mapped_column(server_default="system")
    totp_secret: Mapped[bytes | None] = mapped_column(
        LargeBinary, deferred=True, deferred_group="secrets", deferred_raiseload=True
    )
    totp_confirmed_at: Mapped[datetime | None]
    totp_last_step: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_login_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")


class Session(Base):
    """A signed-in browser. The cookie's value is random and made here; only its SHA-256 is stored."""

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        CheckConstraint("stage IN ('mfa', 'full')", name="stage"),
        Index("ix_session_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    form_secret: Mapped[bytes] = mapped_column(LargeBinary)
    stage: Mapped[str] = mapped_column(server_default="full")
    active_tenant: Mapped[UUID | None]
    visit_tenant: Mapped[UUID | None]
    visit_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    idle_seconds: Mapped[int]
    authenticated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]


class ApiToken(TenantRow, Base):
    """A key for programs: one tenant, named scopes, an end."""

    __tablename__ = "api_token"
    __table_args__ = (tenant_fk("member_id", "membership"), Index("ix_api_token_token_hash", "token_hash"))

    member_id: Mapped[UUID]
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PersonalLink(Base):
    """A one-time link for one person: password reset, first set-up or sign-in. Gone once used."""

    __tablename__ = "personal_link"
    __table_args__ = (
        CheckConstraint("kind IN ('reset', 'sign_in', 'set_up')", name="kind"),
        Index("ix_personal_link_user_id", "user_id"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    kind: Mapped[str]
    expires_at: Mapped[datetime]


class RecoveryCode(Base):
    """A one-time code for somebody who lost the second factor. `code_hash` is a digest, sealed (vault.CodeVault)."""

    __tablename__ = "recovery_code"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class Throttle(Base):
    """Exact counters of attempts; `key` is a hash, so that no address stands here."""

    __tablename__ = "throttle"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    window_start: Mapped[datetime] = mapped_column(server_default=func.now())
    count: Mapped[int] = mapped_column(server_default="0")
    blocked_until: Mapped[datetime | None]


class WsTicket(Base):
    """A one-time ticket that opens one socket in the name of one session or token. Used up by `gate.enter`."""

    __tablename__ = "ws_ticket"
    __table_args__ = (CheckConstraint("octet_length(hash) = 32", name="hash"), Index("ix_ws_ticket_hash", "hash"))

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    session_id: Mapped[UUID | None]
    token_id: Mapped[UUID | None]
    expires_at: Mapped[datetime]
