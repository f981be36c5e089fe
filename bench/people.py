"""The frame of a measured firm: its people, its projects, and its counters."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from zena.accounts.permissions import ROLE_PERMISSIONS, Role
from zena.kit.ids import new_id
from zena.work.checks import RECOUNT
from zena.work.rank import rank_of

_PEOPLE = 40
_SURNAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng")
_NAMES = ("An", "Bình", "Chi", "Dũng", "Hà", "Khánh", "Linh", "Minh", "Nam", "Phương")


async def write(conn: Any, tenant: UUID, token: str, cookie: str) -> list[UUID]:
    """Write a firm with its people, an API token and a session of its owner; return the memberships, owner first."""
    slug = f"bench-{secrets.token_hex(6)}"
    await conn.execute("INSERT INTO tenant (id, name, slug) VALUES ($1, $2, $3)", tenant, f"Firm {slug[-6:]}", slug)
    await conn.execute("INSERT INTO tenant_head (tenant_id) VALUES ($1)", tenant)
    users = [(new_id(), f"{number}@{slug}.test", _name(number)) for number in range(_PEOPLE)]
    await conn.copy_records_to_table("user_account", records=users, columns=["id", "email", "name"])
    members = [
        (tenant, new_id(), user, Role.OWNER if number == 0 else Role.MEMBER)
        for number, (user, _, _) in enumerate(users)
    ]
    await conn.copy_records_to_table("membership", records=members, columns=["tenant_id", "id", "user_id", "role"])
    await conn.execute(
        "INSERT INTO api_token (tenant_id, id, member_id, name, prefix, token_hash, scopes, expires_at)"
        " VALUES ($1, $2, $3, 'bench', 'zat_', $4, $5, $6)",
        tenant,
        new_id(),
        members[0][1],
        _digest(token),
        [str(permission) for permission in ROLE_PERMISSIONS[Role.OWNER]],
        datetime.now(UTC) + timedelta(days=30),
    )
    await conn.execute(
        "INSERT INTO session (id, user_id, token_hash, form_secret, active_tenant, expires_at, idle_seconds)"
        " VALUES ($1, $2, $3, $4, $5, $6, 2592000)",
        new_id(),
        users[0][0],
        _digest(cookie),
        secrets.token_bytes(32),
        tenant,
        datetime.now(UTC) + timedelta(days=30),
    )
    return [member[1] for member in members]


async def write_project(conn: Any, tenant: UUID, project: UUID, number: int, owner: UUID, tasks: int) -> None:
    """Write one running project and its number counter."""
    today = datetime.now(UTC).date()
    await conn.execute(
        "INSERT INTO project (tenant_id, id, key, name, sort_key, owner_id, status, start_on, end_on, budget_planned,"
        " budget_actual, position, created_by) VALUES ($1, $2, $3, $4, $4, $5, 'active', $6, $7, $8, $9, $10, $5)",
        tenant,
        project,
        f"P{number}X",
        f"Site {number + 1}",
        owner,
        today - timedelta(days=200),
        today + timedelta(days=200),
        10_000_000_000,
        6_000_000_000 + number * 300_000_000,
        rank_of(number + 1),
    )
    await conn.execute("INSERT INTO project_counter VALUES ($1, $2, $3)", tenant, project, tasks)
    await conn.execute("INSERT INTO project_stats (tenant_id, project_id) VALUES ($1, $2)", tenant, project)


async def count(conn: Any, tenant: UUID) -> None:
    """Compute every counter of a firm from its tasks; the planner must know first how many there are."""
    await conn.execute("ANALYZE project, task, task_assignee")
    for statement in RECOUNT:
        await conn.execute(statement, tenant)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _name(number: int) -> str:
    return f"{_SURNAMES[number % len(_SURNAMES)]} Văn {_NAMES[number % len(_NAMES)]}"
