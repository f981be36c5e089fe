"""What an operator did to a firm, recorded where the firm itself can read it."""

from uuid import UUID

from zena.kit.events import Event, event


@event("tenant.suspended")
class TenantSuspended(Event, frozen=True):
    reason: str


@event("access.cross_tenant_refused")
class CrossTenantRefused(Event, frozen=True, kw_only=True):
    """Somebody asked for what another firm has. Recorded in the firm they came from; the subject is their membership.

    `reference` is the id or key they asked for, `kind` what it should be; `severity` is high from the fifth within ten
    minutes on.
    """

    user: UUID
    kind: str
    reference: str
    severity: str


@event("tenant.resumed")
class TenantResumed(Event, frozen=True):
    """The firm is served again."""


@event("tenant.imported", families={"dashboard", "projects", "tasks", "team"})
class TenantImported(Event, frozen=True, kw_only=True):
    """The firm was brought in from an export. `head` (hex) and `entries` are the end of the record in the export."""

    origin: UUID
    entries: int
    head: str
