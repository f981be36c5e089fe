"""Who acts, for which tenant, with what. Passed explicitly; never ambient."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from zena.kit.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person who is signed in, perhaps without a tenant yet."""

    user: UUID
    name: str
    email: str
    locale: str | None
    timezone: str | None
    is_operator: bool
    session: UUID | None
    token: UUID | None
    form_secret: bytes | None
    theme: str = "system"
    authenticated_at: datetime | None = None
    request_id: str = ""
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class SupportAccess:
    """The visit by which an operator looks at a firm: it is read, never written, and ends at `ends_at`."""

    visit: UUID
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """The operator who looks at the firm now, told to those who manage it; of several the one who stays longest."""

    name: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One tenant, one actor, what the actor may do there. Every query and action takes it.

    `member` is the membership that acts; None for the system itself (jobs, imports by the operator)
    and for an operator who visits.
    """

    tenant: UUID
    member: UUID | None
    user: UUID | None
    role: str
    permissions: frozenset[str]
    timezone: str
    locale: str = "en"
    currency: str = "VND"
    tenant_name: str = ""
    tenant_slug: str = ""
    identity: Identity | None = None
    request_id: str = ""
    ip: str | None = None
    token: UUID | None = None
    support: SupportAccess | None = None  # for an operator who visits; `member` is None then
    visitor: Visitor | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))  # when the request began, by the app's clock

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Forbidden naming the permission unless the actor holds it."""
        if permission not in self.permissions:
            raise Forbidden(permission)

    @property
    def today(self) -> date:
        """The present date where the tenant is; overdue and due soon are counted from it."""
        return self.at.astimezone(ZoneInfo(self.timezone)).date()
