"""People, firms, ways in, outbox and audit chain."""

from alembic import op

from zena.migrations.fences import PERSON, fence, grant, policy, run_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql("0001_people_and_firms.sql")
    run_sql("0001_seal.sql")
    _firms()
    _people()
    _records()


def _firms() -> None:
    settings = ["name", "timezone", "locale", "currency", "features", "version"]
    fence("tenant", column="id", updates=settings)
    fence("membership", updates=["role", "is_default", "ended_at", "joined_at", "version"])
    fence("invitation", updates=["state", "decided_at", "token_hash", "expires_at"])
    fence("api_token", updates=["revoked_at"])
    fence("ws_ticket", updates=None)


def _people() -> None:
    seen = (
        f"id = {PERSON} OR EXISTS (SELECT 1 FROM membership m WHERE m.user_id = user_account.id"
        " AND m.tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))"
    )
    policy("user_account", seen, name="seen", command="SELECT")
    policy("user_account", f"id = {PERSON}", name="made", command="INSERT")
    policy("user_account", f"id = {PERSON}", name="changed", command="UPDATE")
    person = ["name", "sort_key", "password_hash", "locale", "timezone", "theme", "last_login_at", "version"]
    grant("user_account", updates=[*person, "totp_secret", "totp_confirmed_at", "totp_last_step"])
    for table in ("session", "recovery_code"):
        policy(table, f"user_id = {PERSON}", name="own")
    policy("personal_link", f"user_id = {PERSON} OR user_id IS NULL", name="own")
    rotation = ["token_hash", "form_secret", "expires_at", "stage", "active_tenant", "authenticated_at"]
    grant("session", updates=[*rotation, "revoked_at", "last_seen_at"])
    grant("recovery_code", updates=None, deletes=True)
    grant("personal_link", updates=None, deletes=True)
    grant("throttle", updates=["window_start", "count", "blocked_until"], deletes=True)


def _records() -> None:
    fence("tenant_head", updates=["position", "audit_position", "audit_hash", "versions"])
    fence("event", updates=None)
    fence("audit_entry", updates=None)
    fence("idempotency_key", updates=None, deletes=True)
    op.execute("REVOKE ALL ON FUNCTION seal(uuid, jsonb, jsonb, text[]) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION seal(uuid, jsonb, jsonb, text[]) TO zena_app")
