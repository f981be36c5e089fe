"""What happens to firms, their people and their ways in. Types beginning with `access.` concern ways in.

Events of a person's own sessions and factors are recorded in the firm the session acts in; without one there is no
place to record them.
"""

from datetime import datetime
from uuid import UUID

from zena.kit.events import Event, event

_TEAM = frozenset({"team", "dashboard"})


@event("tenant.created")
class TenantCreated(Event, frozen=True):
    name: str
    slug: str


@event("tenant.settings_changed", families={"dashboard", "projects", "tasks", "team"})
class TenantSettingsChanged(Event, frozen=True):
    """The time zone decides what is overdue, so every family is touched."""


@event("tenant.ownership_transferred", families=_TEAM)
class OwnershipTransferred(Event, frozen=True):
    """The subject is the firm; both members also have a `membership.role_changed`."""

    new_owner: UUID
    former_owner: UUID


@event("membership.joined", families=_TEAM)
class MemberJoined(Event, frozen=True):
    user: UUID
    role: str


@event("membership.role_changed", families=_TEAM)
class RoleChanged(Event, frozen=True):
    user: UUID
    role: str


@event("membership.ended", families=_TEAM)
class MembershipEnded(Event, frozen=True):
    """`left` tells a person who went from one who was removed."""

    user: UUID
    left: bool


@event("invitation.created")
class InvitationCreated(Event, frozen=True):
    email: str
    role: str


@event("invitation.renewed")
class InvitationRenewed(Event, frozen=True):
    """A new link was made; the former one is dead."""

    email: str


@event("invitation.accepted")
class InvitationAccepted(Event, frozen=True):
    member: UUID


@event("invitation.declined")
class InvitationDeclined(Event, frozen=True):
    email: str


@event("invitation.revoked")
class InvitationRevoked(Event, frozen=True):
    email: str


@event("token.created")
class TokenCreated(Event, frozen=True):
    name: str
    scopes: list[str]
    expires_at: datetime


@event("token.revoked")
class TokenRevoked(Event, frozen=True):
    name: str


@event("access.signed_in", families={"team"})
class SignedIn(Event, frozen=True):
    """The subject is the session."""

    user: UUID
    second_factor: bool


@event("access.session_revoked")
class SessionRevoked(Event, frozen=True):
    """Signed out, ended from the list of sessions, or ended by a change of password: `reason` tells."""

    user: UUID
    reason: str


@event("access.password_changed")
class PasswordChanged(Event, frozen=True):
    """The subject is the person. `by_link` is true for a reset."""

    by_link: bool = False


@event("access.second_factor_enabled")
class SecondFactorEnabled(Event, frozen=True):
    """The subject is the person."""


@event("access.second_factor_disabled")
class SecondFactorDisabled(Event, frozen=True):
    """The subject is the person."""


@event("access.recovery_codes_made")
class RecoveryCodesMade(Event, frozen=True):
    """The subject is the person; former codes are dead."""


@event("access.recovery_code_used")
class RecoveryCodeUsed(Event, frozen=True):
    """The subject is the person."""

    left: int


@event("access.support_began")
class SupportBegan(Event, frozen=True):
    """An operator may look at the firm until `ends_at`. The subject is the visit, here and in the next two."""

    operator: str
    reason: str
    ends_at: datetime


@event("access.support_looked")
class SupportLooked(Event, frozen=True):
    """What they asked for: method and path. The same thing is told once a minute; refused changes are told too."""

    operator: str
    opened: str


@event("access.support_ended")
class SupportEnded(Event, frozen=True):
    """The visit is over: `how` is left, firm, operations, limit or access."""

    operator: str
    how: str
