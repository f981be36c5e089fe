"""A01-A14: the fences as the database itself reports them. A new table that lacks one fails here."""

import asyncpg
import pytest

from tests.factories import Firm
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id

#: Tables without a tenant, each with its reason. Reviewed: adding one is a decision.
WITHOUT_TENANT = {
    "alembic_version": "which migration has run",
    "user_account": "a person exists once; own policy by app.user and shared tenants",
    "session": "a browser of a person; own policy by app.user",
    "recovery_code": "of a person; own policy by app.user",
    "personal_link": "of a person; own policy by app.user",
    "throttle": "counts hashed keys before anybody is known",
}

#: SECURITY DEFINER functions, all in schema gate.
GATE = {
    "enter": "authenticates",
    "open_visit": "the visit of support a session makes; for gate.enter and gate.standing alone",
    "open_visits": "operators' console; who of the staff looks where, for zena_ops_read only",
    "lapsed_visits": "visits that are over; ids only",
    "user_by_email": "sign-in",
    "my_tenants": "firm switcher",
    "invitation": "invitation by hash",
    "heads": "positions for realtime",
    "is_empty": "first set-up",
    "only_tenant": "operator's commands on a small installation",
    "tenant_by_slug": "operator's commands",
    "link_owner": "one-time links",
    "half_session": "second factor",
    "end_member_sessions": "change of role; own tenant only",
    "standing": "open sockets",
    "served_tenants": "daily duties; ids only",
    "firms_in_numbers": "operators' console; names and counts, for zena_ops_read only",
    "firms_called": "operators' console; names of known ids, for zena_ops_read only",
    "own_firms": "what an incident reached; ids only, for zena_ops_read only",
    "place_order": "operators' console; for a session whose operator proved a second factor just now",
    "sweep": "deletes what nobody can use; a count",
}

#: Foreign keys that may leave out the tenant: their parent has none.
GLOBAL_PARENTS = {"user_account", "session", "tenant"}

#: Unique keys that are global on purpose.
GLOBAL_UNIQUES = {
    "uq_tenant_slug": "a firm's short name; answered without telling whose",
    "uq_user_account_email": "a person's address",
    "uq_session_token_hash": "random",
}


@pytest.fixture
async def owner(urls: ClusterUrls) -> asyncpg.Connection:
    connection = await asyncpg.connect(urls.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def app(urls: ClusterUrls) -> asyncpg.Connection:
    connection = await asyncpg.connect(urls.app)
    yield connection
    await connection.close()


TABLES = """
SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity,
       EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
               AND NOT a.attisdropped) AS tenant
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""


async def test_A02_every_table_is_fenced_or_reviewed(owner: asyncpg.Connection) -> None:
    unfenced = []
    for table in await owner.fetch(TABLES):
        if table["relname"] in WITHOUT_TENANT:
            continue
        policies = await owner.fetch(
            "SELECT polcmd, polqual IS NOT NULL AS u, polwithcheck IS NOT NULL AS w FROM pg_policy WHERE polrelid = $1",
            table["oid"],
        )
        whole = any(p["polcmd"] == b"*" and p["u"] and p["w"] for p in policies)
        fenced = table["relrowsecurity"] and table["relforcerowsecurity"] and whole
        if not fenced or not (table["tenant"] or table["relname"] == "tenant"):
            unfenced.append(table["relname"])
    assert unfenced == []


async def test_A01_without_a_tenant_every_table_is_empty(
    app: asyncpg.Connection, owner: asyncpg.Connection, firm: Firm
) -> None:
    for table in await owner.fetch(TABLES):
        name = table["relname"]
        if name not in {"alembic_version", "throttle"}:
            assert await app.fetchval(f"SELECT count(*) FROM {name}") == 0, name  # noqa: S608 - a name from the catalog


async def test_A01_one_tenant_sees_nothing_of_another(
    app: asyncpg.Connection, owner: asyncpg.Connection, firm: Firm, stranger: Firm
) -> None:
    async with app.transaction():
        await app.execute("SELECT set_config('app.tenant', $1, true)", str(stranger.tenant))
        for table in await owner.fetch(TABLES):
            if table["tenant"]:
                seen = f"SELECT count(*) FROM {table['relname']} WHERE tenant_id <> $1"  # noqa: S608 - same
                assert await app.fetchval(seen, stranger.tenant) == 0, table["relname"]


async def test_A01_an_empty_setting_means_no_rows(app: asyncpg.Connection, firm: Firm) -> None:
    async with app.transaction():
        await app.execute("SELECT set_config('app.tenant', '', true)")
        assert await app.fetchval("SELECT count(*) FROM membership") == 0


async def test_A03_the_app_role_owns_nothing_and_bypasses_nothing(owner: asyncpg.Connection) -> None:
    role = await owner.fetchrow("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'zena_app'")
    assert not any(role.values())
    owned = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = 'zena_app'"
    assert await owner.fetchval(owned) == 0
    bypassing = {
        r["rolname"] for r in await owner.fetch("SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper")
    }
    assert bypassing == {"zena_ops", "zena_backup"}


async def test_A05_no_views_without_invoker_and_no_materialized_views(owner: asyncpg.Connection) -> None:
    views = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'gate'::regnamespace)"
        " AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false))"
    )
    assert views == []


async def test_A06_definer_functions_are_the_reviewed_ones(owner: asyncpg.Connection) -> None:
    found = await owner.fetch(
        "SELECT n.nspname, p.proname, p.proconfig, r.rolname FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace"
        " JOIN pg_roles r ON r.oid = p.proowner"
        " WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    )
    assert {f["proname"] for f in found} == set(GATE)
    assert {f["nspname"] for f in found} == {"gate"}
    assert {f["rolname"] for f in found} == {"zena_ops"}
    for function in found:
        assert any(setting.startswith("search_path=") for setting in function["proconfig"] or []), function["proname"]


async def test_A07_foreign_keys_start_with_the_tenant(owner: asyncpg.Connection) -> None:
    keys = await owner.fetch(
        "SELECT k.conname, p.relname AS parent, (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid"
        " AND a.attnum = k.conkey[1]) AS first FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid"
        " WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace"
    )
    loose = [k["conname"] for k in keys if k["parent"] not in GLOBAL_PARENTS and k["first"] != "tenant_id"]
    assert loose == []


async def test_A09_unique_keys_start_with_the_tenant(owner: asyncpg.Connection) -> None:
    found = await owner.fetch(
        "SELECT i.relname, a.attname AS first, t.relname AS table_name FROM pg_index x"
        " JOIN pg_class i ON i.oid = x.indexrelid"
        " JOIN pg_class t ON t.oid = x.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]"
        " WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace"
    )
    loose = {
        index["relname"]
        for index in found
        if index["first"] != "tenant_id"
        and index["table_name"] not in WITHOUT_TENANT
        and index["relname"] != "pk_tenant"
    }
    assert loose <= set(GLOBAL_UNIQUES)


async def test_A10_no_sequence_counts_tenant_data(owner: asyncpg.Connection) -> None:
    assert (
        await owner.fetch("SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace")
        == []
    )


async def test_no_triggers_on_tenant_tables(owner: asyncpg.Connection) -> None:
    triggers = "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    assert await owner.fetch(f"{triggers} AND c.relnamespace = 'public'::regnamespace") == []


async def test_A12_the_app_role_can_create_nothing(app: asyncpg.Connection) -> None:
    for statement in (
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE public.t (a int)",
        "CREATE TEMP TABLE t (a int)",
        "CREATE SCHEMA mine",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)


async def test_A14_the_tenant_column_is_never_updatable(owner: asyncpg.Connection) -> None:
    granted = await owner.fetch(
        "SELECT table_name FROM information_schema.column_privileges WHERE grantee = 'zena_app'"
        " AND privilege_type = 'UPDATE' AND column_name = 'tenant_id' AND table_schema = 'public'"
    )
    assert granted == []


async def test_A14_a_row_cannot_be_moved_to_another_tenant(app: asyncpg.Connection, firm: Firm, stranger: Firm) -> None:
    async with app.transaction():
        await app.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("UPDATE membership SET tenant_id = $1", stranger.tenant)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(
                "INSERT INTO api_token (tenant_id, id, member_id, name, prefix, token_hash, scopes, expires_at)"
                " VALUES ($1, $2, $3, 'x', 'x', 'x', '{}', now())",
                stranger.tenant,
                new_id(),
                next(iter(stranger.people.values())).member,
            )


async def test_A07_A08_a_key_into_another_tenant_is_refused_like_a_missing_one(
    app: asyncpg.Connection, firm: Firm, stranger: Firm
) -> None:
    messages = []
    for member in (next(iter(stranger.people.values())).member, new_id()):
        async with app.transaction():
            await app.execute("SELECT set_config('app.tenant', $1, true)", str(firm.tenant))
            with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
                await app.execute(
                    "INSERT INTO api_token (tenant_id, id, member_id, name, prefix, token_hash, scopes, expires_at)"
                    " VALUES ($1, $2, $3, 'x', 'x', 'x', '{}', now())",
                    firm.tenant,
                    new_id(),
                    member,
                )
            messages.append(refused.value.message)
    assert messages[0] == messages[1]
