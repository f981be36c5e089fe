"""What holds firms apart, and what the rows promise each other."""

from typing import Final

from zena.operate.lab.contract import Fault
from zena.operate.lab.faults.database import switched

_INDEX: Final = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'pk_label'::regclass"
_MEMBERSHIP: Final = """
UPDATE membership SET ended_at = {} WHERE user_id = (SELECT id FROM user_account WHERE email LIKE 'khoa.bui@%')
"""
_T2: Final = frozenset({"T2"})
#: Who has no membership any more is no longer counted among those who work; nobody told the figures.
_D2: Final = frozenset({"D2"})

FAULTS: Final = (
    switched(
        Fault("fence-off", "a table's row-level security is off", "T2", "row_security_off"),
        "ALTER TABLE label NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE label FORCE ROW LEVEL SECURITY",
    ),
    switched(
        Fault("fence-open", "a policy lets everybody in", "T2", "open_policy"),
        "CREATE POLICY lab_open ON label USING (true)",
        "DROP POLICY IF EXISTS lab_open ON label",
    ),
    switched(
        Fault("role-bypasses", "a role may pass the fences", "T2", "role_bypasses"),
        "ALTER ROLE zena_app BYPASSRLS",
        "ALTER ROLE zena_app NOBYPASSRLS",
    ),
    switched(
        Fault("rows-hidden", "a policy hides rows of firms from themselves", "T1", "policy_missing", also=_T2),
        "CREATE POLICY lab_hides ON label AS RESTRICTIVE USING (false)",
        "DROP POLICY IF EXISTS lab_hides ON label",
    ),
    switched(
        Fault("membership-ended", "somebody ends memberships by hand", "T1", "no_membership", also=_D2),
        _MEMBERSHIP.format("now()"),
        _MEMBERSHIP.format("NULL"),
    ),
    switched(
        Fault("keys-off", "foreign keys are not watched", "X2", "keys_off"),
        "ALTER TABLE task_label DISABLE TRIGGER ALL",
        "ALTER TABLE task_label ENABLE TRIGGER ALL",
    ),
    switched(
        Fault("index-broken", "an index was not finished", "X2", "broken_index"),
        _INDEX.format("false"),
        _INDEX.format("true"),
    ),
)
