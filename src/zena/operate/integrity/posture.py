"""Switches that hold the data together, as the server has them: fences, keys, triggers, checksums.

Each statement returns one column: what is not as it should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from zena.kit.db import Raw
from zena.operate.integrity.finding import NAMED, Finding
from zena.operate.integrity.rights import BEYOND, MISSING, RIGHTS

#: Tables without a tenant, reviewed one by one (tests/test_catalog.py says why each may be).
_GLOBAL: Final = "('alembic_version', 'user_account', 'session', 'recovery_code', 'personal_link', 'throttle')"
_UNFENCED: Final = "('alembic_version', 'throttle')"
#: The whole of a firm's policy, as the server writes it: what says more, such as OR true, is another one.
_OWN: Final = (
    r"'^\((tenant_id|id) = \( SELECT \(NULLIF\(current_setting\(''app\.tenant''::text, true\),"
    r" ''''::text\)\)::uuid( AS .nullif.)?\)\)$'"
)
#: The policy by which an operator shuts a table off, until its fence is up again.
SHUT_OFF: Final = "ops_quarantine"
_OURS: Final = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting of the server that must be as it was made, and what to do when it is not. `takes` goes to the sql."""

    name: str
    sql: str
    advice: str
    takes: Sequence[Any] = ()


MISSING_RIGHT: Final = Switch(
    "missing right", MISSING, "the application lost it: `zena runbook plan restore_rights`", (RIGHTS,)
)
SWITCHES: Final = (
    Switch(
        "row security",
        f"SELECT c.relname FROM pg_class c WHERE {_OURS} AND c.relname NOT IN {_UNFENCED}"  # noqa: S608 - constants
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
        "as zena_owner: ALTER TABLE ... ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    ),
    Switch(
        "policy",
        f"SELECT c.relname FROM pg_class c WHERE {_OURS} AND c.relname NOT IN {_GLOBAL} AND NOT EXISTS"  # noqa: S608 - constants
        " (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polpermissive"
        f" AND pg_get_expr(p.polqual, c.oid) ~ {_OWN} AND pg_get_expr(p.polwithcheck, c.oid) ~ {_OWN})",
        "make the policy again as the table's migration does",
    ),
    Switch(
        "policy of people",
        f"SELECT c.relname FROM pg_class c WHERE {_OURS} AND c.relname IN {_GLOBAL}"  # noqa: S608 - constants
        f" AND c.relname NOT IN {_UNFENCED} AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)",
        "make the policy again as the table's migration does",
    ),
    Switch(
        "open policy",
        "SELECT format('%s on %s', p.polname, p.polrelid::regclass) FROM pg_policy p WHERE p.polpermissive AND NOT"
        " concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) LIKE '%app.%'",
        "it lets rows pass without asking for tenant or person: drop it",
    ),
    Switch(
        "bypassing role",
        "SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper AND rolname LIKE 'zena\\_%'"
        " AND rolname NOT IN ('zena_ops', 'zena_backup')",
        "ALTER ROLE ... NOBYPASSRLS",
    ),
    Switch(
        "primary key",
        f"SELECT c.relname FROM pg_class c WHERE {_OURS} AND c.relname NOT IN {_GLOBAL} AND c.relname <> 'tenant'"  # noqa: S608 - constants
        " AND NOT EXISTS (SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = c.oid"
        " AND a.attnum = k.conkey[1] WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attname = 'tenant_id')",
        "the primary key must start with tenant_id",
    ),
    Switch(
        "foreign key",
        "SELECT k.conname FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid JOIN pg_attribute a"
        " ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE k.contype = 'f' AND k.conparentid = 0"
        " AND k.connamespace = 'public'::regnamespace AND a.attname <> 'tenant_id'"
        " AND p.relname NOT IN ('user_account', 'session', 'tenant')",
        "a plain key reaches into other tenants: it must start with tenant_id",
    ),
    Switch(
        "view",
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname IN ('public', 'gate') AND (c.relkind = 'm' OR c.relkind = 'v' AND NOT coalesce("
        "(SELECT option_value::bool FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker'),"
        " false))",
        "it reads with its owner's rights: drop it, or make it a view with security_invoker",
    ),
    Switch(
        "definer path",
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.prosecdef AND n.nspname = 'gate' AND NOT coalesce(p.proconfig::text LIKE '%search_path=%', false)",
        "ALTER FUNCTION ... SET search_path = pg_catalog, public",
    ),
    Switch(
        "constraint",
        "SELECT format('%s on %s', k.conname, k.conrelid::regclass) FROM pg_constraint k"
        " JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname IN ('public', 'ops', 'queue')"
        " AND (NOT k.convalidated OR (to_jsonb(k) ->> 'conenforced') = 'false')",
        "not held against every row: `zena runbook plan restore_keys`",
    ),
    Switch(
        "trigger",
        "SELECT format('%s (%s off)', t.tgrelid::regclass, count(*)) FROM pg_trigger t WHERE t.tgenabled <> 'O'"
        " GROUP BY t.tgrelid",
        "foreign keys are not watched: `zena runbook plan restore_keys`",
    ),
    Switch(
        "index",
        "SELECT x.indexrelid::regclass::text FROM pg_index x WHERE NOT (x.indisvalid AND x.indisready AND x.indislive)"
        " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)",
        "an interrupted build: `zena runbook plan rebuild_index`",
    ),
    Switch(
        "definer function",
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'gate')",
        "it runs with its owner's rights outside schema gate: drop it",
    ),
    Switch(
        "tenant column",
        # Not from information_schema: it shows a role its own privileges only.
        f"SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"  # noqa: S608 - constants
        f" WHERE {_OURS} AND has_column_privilege('zena_app', c.oid, a.attnum, 'UPDATE')",
        "as zena_owner: REVOKE UPDATE ON ... FROM zena_app, then grant the columns again",
    ),
    MISSING_RIGHT,
    Switch("right too many", BEYOND, "as zena_owner: REVOKE ... FROM zena_app", (RIGHTS,)),
    Switch(
        "page checksum",
        "SELECT format('%s pages failed, last %s', checksum_failures, checksum_last_failure) FROM pg_stat_database"
        " WHERE datname = current_database() AND checksum_failures > 0",
        "the disk returned other bytes than were written: copy the data away, restore a backup elsewhere",
    ),
    Switch(
        "collation",
        "SELECT datname FROM pg_database WHERE datname = current_database()"
        " AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)",
        "the system's sort order changed: REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION",
    ),
)


#: Those that hold the data together, or the application up; the rest hold firms apart.
_OTHERS: Final = {"constraint", "trigger", "index", "missing right", "page checksum", "collation"}
FENCES: Final = tuple(switch for switch in SWITCHES if switch.name not in _OTHERS)


async def wrong(conn: Raw, switch: Switch) -> list[Finding]:
    """Return whether a switch is not as it should be."""
    found = sorted(str(row[0]) for row in await conn.fetch(switch.sql, *switch.takes))
    return [Finding("posture", switch.name, len(found), found[:NAMED], advice=switch.advice)] if found else []
