"""Tables of people, firms, ways in and the record of what was done."""

from zena.accounts.models.firms import Invitation, Membership, Tenant
from zena.accounts.models.people import ApiToken, PersonalLink, RecoveryCode, Session, Throttle, UserAccount, WsTicket
from zena.accounts.models.records import AuditEntry, EventEntry, IdempotencyKey, TenantHead
from zena.accounts.models.visits import SupportVisit

__all__ = [
    "ApiToken",
    "AuditEntry",
    "EventEntry",
    "IdempotencyKey",
    "Invitation",
    "Membership",
    "PersonalLink",
    "RecoveryCode",
    "Session",
    "SupportVisit",
    "Tenant",
    "TenantHead",
    "Throttle",
    "UserAccount",
    "WsTicket",
]
