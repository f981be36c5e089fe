"""Invariants of accounts, each as SQL that takes the tenant as $1 and returns what breaks it."""

from typing import Final

from zena.kit.checks import Check

CHECKS: Final = (
    Check(
        "tenant_head",
        "SELECT t.id FROM tenant t WHERE t.id = $1 AND NOT EXISTS (SELECT FROM tenant_head h WHERE h.tenant_id = t.id)",
    ),
    Check(
        "event_position",
        "SELECT e.position FROM event e JOIN tenant_head h ON h.tenant_id = e.tenant_id"
        " WHERE e.tenant_id = $1 AND e.position > h.position ORDER BY 1",
    ),
    Check(
        "active_owner",
        "SELECT t.id FROM tenant t WHERE t.id = $1 AND t.status IN ('active', 'trial')"
        " AND EXISTS (SELECT FROM membership m WHERE m.tenant_id = t.id AND m.ended_at IS NULL)"
        " AND NOT EXISTS (SELECT FROM membership m WHERE m.tenant_id = t.id AND m.role = 'owner'"
        " AND m.ended_at IS NULL)",
    ),
)
