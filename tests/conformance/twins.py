"""Each verb that a page and the API both offer, told twice: as the form sends it and as JSON.

A word beginning with $ is looked up in the side. `bad` are pairs that both have to refuse with the same sentence.
`first` is what has to be there before, done on both sides alike.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.accounts.browser import PASSWORD
from tests.conformance.sides import Side

First = Callable[[Side], Awaitable[None]]
Form = Mapping[str, str | list[str]]

PROJECT, TASK = "/api/v1/app/projects/{project_id}", "/api/v1/app/tasks/{task_id}"
NEW_PASSWORD = "a-crane-lifts-27-beams"
DEAD = {"token": "dead"}
LONG = "x" * 300


@dataclass(frozen=True, slots=True)
class Twin:
    """One verb. Routes are "METHOD /path/{name}"; `by` is a role, "nobody", or "half": between password and code."""

    page: str
    api: str
    form: Form = field(default_factory=dict)
    json: Any = None
    by: str = "owner"
    first: First | None = None
    bad: tuple[tuple[Form, Any], ...] = ()
    files: Any = None


def did(method: str, path: str, body: Any = None) -> First:
    async def step(side: Side) -> None:
        await side.tell(method, path, body)

    return step


async def offered(side: Side) -> None:
    """An invitation whose link somebody holds."""
    made = await side.tell("POST", "/api/v1/app/invitations", {"email": side.ids["newcomer"], "role": "member"})
    side.ids["token"] = made["link"].rpartition("/")[2]


async def offered_to_known(side: Side) -> None:
    """An invitation for the address of a viewer who left."""
    await side.tell("DELETE", "/api/v1/app/members/{viewer}")
    await side.revive("viewer")
    side.ids["newcomer"] = side.ids["viewer_email"]
    await offered(side)


def _later() -> str:
    return (datetime.now(UTC) + timedelta(days=30)).isoformat()


ACCOUNTS = [
    Twin(
        "POST /sign-in",
        "POST /api/v1/auth/login",
        {"email": "$member_email", "password": PASSWORD},
        {"email": "$member_email", "password": PASSWORD},
        by="nobody",
        first=Side.passwords,
        bad=(({"email": "$member_email", "password": "wrong"}, {"email": "$member_email", "password": "wrong"}),),
    ),
    Twin("POST /sign-in/code", "POST /api/v1/auth/mfa", {"code": "$code"}, {"code": "$code"}, "half", Side.half),
    Twin(
        "POST /confirm",
        "POST /api/v1/auth/confirmation",
        {"password": PASSWORD},
        {"password": PASSWORD},
        first=Side.passwords,
        bad=(({"password": "wrong"}, {"password": "wrong"}),),
    ),
    Twin("POST /sign-out", "POST /api/v1/auth/logout"),
    Twin(
        "POST /invitation/{token}",
        "POST /api/v1/auth/invitation/account",
        {"name": "New", "password": NEW_PASSWORD},
        {"token": "$token", "name": "New", "password": NEW_PASSWORD},
        "nobody",
        offered,
        (({"name": "New", "password": "short"}, {"token": "$token", "name": "New", "password": "short"}),),
    ),
    Twin(
        "POST /invitation/{token}",
        "POST /api/v1/auth/invitation/acceptance",
        json={"token": "$token"},
        by="viewer",
        first=offered_to_known,
    ),
    Twin(
        "POST /invitation/{token}/refusal",
        "POST /api/v1/auth/invitation/refusal",
        json={"token": "$token"},
        by="nobody",
        first=offered,
    ),
    Twin(
        "POST /reset",
        "POST /api/v1/auth/password/reset-request",
        {"email": "$member_email"},
        {"email": "$member_email"},
        "nobody",
        Side.passwords,
    ),
    Twin(
        "POST /reset/{token}",
        "POST /api/v1/auth/password/reset",
        {"password": NEW_PASSWORD},
        {"token": "$token", "password": NEW_PASSWORD},
        "nobody",
        Side.forgotten,
        (({"password": "short"}, {"token": "$token", "password": "short"}),),
    ),
    Twin("POST /firms/{tenant_id}", "POST /api/v1/me/tenants/{tenant_id}/activation"),
    Twin("POST /membership/departure", "DELETE /api/v1/app/membership", by="pm"),
    Twin(
        "POST /members/{viewer}/role",
        "PATCH /api/v1/app/members/{viewer}",
        {"role": "pm"},
        {"role": "pm"},
    ),
    Twin("POST /members/{viewer}/departure", "DELETE /api/v1/app/members/{viewer}"),
    Twin("POST /members/{viewer}/ownership", "POST /api/v1/app/members/{viewer}/ownership"),
    Twin(
        "POST /invitations",
        "POST /api/v1/app/invitations",
        {"email": "$newcomer", "role": "pm"},
        {"email": "$newcomer", "role": "pm"},
        bad=(
            ({"email": "nowhere", "role": "pm"}, {"email": "nowhere", "role": "pm"}),
            ({"email": "$member_email", "role": "pm"}, {"email": "$member_email", "role": "pm"}),
        ),
    ),
    Twin("POST /invitations/{invitation_id}/delivery", "POST /api/v1/app/invitations/{invitation_id}/delivery"),
    Twin("POST /invitations/{invitation_id}/revocation", "DELETE /api/v1/app/invitations/{invitation_id}"),
    Twin(
        "POST /profile",
        "PATCH /api/v1/me",
        {"name": "Somebody", "locale": "vi", "timezone": "", "theme": "dark"},
        {"name": "Somebody", "locale": "vi", "timezone": None, "theme": "dark"},
        bad=(
            ({"name": LONG}, {"name": LONG}),
            ({"timezone": "Mars/Olympus"}, {"timezone": "Mars/Olympus"}),
            ({"theme": "loud"}, {"theme": "loud"}),
        ),
    ),
    Twin(
        "POST /profile/password",
        "POST /api/v1/auth/password",
        {"current": PASSWORD, "new": NEW_PASSWORD},
        {"current": PASSWORD, "new": NEW_PASSWORD},
        first=Side.passwords,
        bad=(
            ({"current": PASSWORD, "new": "short"}, {"current": PASSWORD, "new": "short"}),
            ({"current": "wrong", "new": NEW_PASSWORD}, {"current": "wrong", "new": NEW_PASSWORD}),
        ),
    ),
    Twin("POST /profile/sessions/end", "DELETE /api/v1/me/sessions", first=Side.elsewhere),
    Twin("POST /profile/sessions/{session_id}/end", "DELETE /api/v1/me/sessions/{session_id}"),
    Twin("POST /profile/second-factor", "POST /api/v1/me/mfa"),
    Twin(
        "POST /profile/second-factor/confirmation",
        "POST /api/v1/me/mfa/confirmation",
        {"code": "$code"},
        {"code": "$code"},
        first=Side.begun,
        bad=(({"code": "000000"}, {"code": "000000"}),),
    ),
    Twin("POST /profile/second-factor/removal", "DELETE /api/v1/me/mfa", first=Side.enrolled),
    Twin("POST /profile/recovery-codes", "POST /api/v1/me/mfa/recovery-codes", first=Side.enrolled),
    Twin(
        "POST /profile/tokens",
        "POST /api/v1/app/tokens",
        {"name": "Crane", "scopes": ["tasks.view", "tasks.update"], "days": "30"},
        {"name": "Crane", "scopes": ["tasks.view", "tasks.update"], "expires_at": _later()},
        bad=(
            (
                {"name": "", "scopes": "tasks.view", "days": "30"},
                {"name": "", "scopes": ["tasks.view"], "expires_at": _later()},
            ),
            ({"name": "Crane", "days": "30"}, {"name": "Crane", "scopes": [], "expires_at": _later()}),
            (
                {"name": "A", "scopes": "no.such", "days": "30"},
                {"name": "A", "scopes": ["no.such"], "expires_at": _later()},
            ),
        ),
    ),
    Twin("POST /profile/tokens/{token_id}/revocation", "DELETE /api/v1/app/tokens/{token_id}"),
    Twin(
        "POST /settings",
        "PATCH /api/v1/app/settings",
        {"name": "Firm", "currency": "EUR", "timezone": "Europe/Paris", "locale": "vi"},
        {"name": "Firm", "currency": "EUR", "timezone": "Europe/Paris", "locale": "vi"},
        bad=(({"name": ""}, {"name": ""}), ({"currency": "BTC"}, {"currency": "BTC"})),
    ),
]

WORK = [
    Twin(
        "POST /projects",
        "POST /api/v1/app/projects",
        {"name": "Quay wall", "key": "QW", "description": "Long", "start_on": "2026-01-05", "end_on": "2026-02-05"},
        {"name": "Quay wall", "key": "QW", "description": "Long", "start_on": "2026-01-05", "end_on": "2026-02-05"},
        bad=(
            ({"name": ""}, {"name": ""}),
            ({"name": "A", "key": "1"}, {"name": "A", "key": "1"}),
            ({"name": "A", "key": "$project_key"}, {"name": "A", "key": "$project_key"}),
            (
                {"name": "A", "start_on": "2026-02-05", "end_on": "2026-01-05"},
                {"name": "A", "start_on": "2026-02-05", "end_on": "2026-01-05"},
            ),
        ),
    ),
    Twin(
        "POST /projects/{project_key}/tasks",
        f"POST {PROJECT}/tasks",
        {"name": "Dig", "priority": "high", "due_on": "2026-05-01", "assignees": ["$member", "$pm"]},
        {"name": "Dig", "priority": "high", "due_on": "2026-05-01", "assignees": ["$member", "$pm"]},
        bad=(({"name": " "}, {"name": " "}), ({"name": "A", "priority": "x"}, {"name": "A", "priority": "x"})),
    ),
    Twin(
        "POST /projects/{project_key}/settings",
        f"PATCH {PROJECT}",
        {"name": "Quay", "priority": "low", "risk_level": "high", "owner_id": "$pm", "budget_planned": "500"},
        {"name": "Quay", "description": "", "priority": "low", "risk_level": "high", "owner_id": "$pm"}
        | {"start_on": None, "end_on": None, "budget_planned": 500, "budget_actual": None},
        bad=(
            ({"name": "A", "priority": "x", "risk_level": "low"}, {"name": "A", "priority": "x"}),
            ({"name": "A", "priority": "low", "risk_level": "x"}, {"name": "A", "risk_level": "x"}),
            (
                {"name": "A", "priority": "low", "risk_level": "low", "budget_planned": "-1"},
                {"budget_planned": -1},
            ),
        ),
    ),
    Twin(
        "POST /projects/{project_key}/status",
        f"POST {PROJECT}/status",
        {"status": "completed", "cascade": "cancel"},
        {"status": "completed", "cascade": "cancel"},
        bad=(
            ({"status": "archived"}, {"status": "archived"}),
            ({"status": "x"}, {"status": "x"}),
        ),
    ),
    Twin(
        "POST /projects/{project_key}/members",
        f"POST {PROJECT}/members",
        {"member_id": "$member", "role": "manager"},
        {"member_id": "$member", "role": "manager"},
        bad=(({"member_id": "$member", "role": "x"}, {"member_id": "$member", "role": "x"}),),
    ),
    Twin(
        "POST /projects/{project_key}/members",
        f"DELETE {PROJECT}/members/{{member}}",
        {"member_id": "$member", "role": ""},
    ),
    Twin(
        "POST /projects/{empty_key}/trash",
        "POST /api/v1/app/projects/{empty_id}/trash",
        first=Side.empty,
    ),
    Twin(
        "POST /projects/{empty_key}/restore",
        "POST /api/v1/app/projects/{empty_id}/restore",
        first=Side.thrown,
    ),
    Twin(
        "POST /tasks/{task_id}/fields",
        f"PATCH {TASK}",
        {"name": "Other", "description": "**Now**", "priority": "urgent", "start_on": "2026-01-05", "due_on": ""}
        | {"estimate_min": "1.5", "spent_min": "0.25", "progress": "40", "parent_id": "$third_task_id"},
        {"name": "Other", "description": "**Now**", "priority": "urgent", "start_on": "2026-01-05", "due_on": None}
        | {"estimate_min": 90, "spent_min": 15, "progress": 40, "parent_id": "$third_task_id"},
        bad=(
            ({"name": ""}, {"name": ""}),
            ({"progress": "101"}, {"progress": 101}),
            ({"priority": "x"}, {"priority": "x"}),
            ({"parent_id": "$task_id"}, {"parent_id": "$task_id"}),
            ({"start_on": "2026-02-01", "due_on": "2026-01-01"}, {"start_on": "2026-02-01", "due_on": "2026-01-01"}),
        ),
    ),
    Twin(
        "POST /tasks/{task_id}/status",
        f"POST {TASK}/move",
        {"status": "canceled", "reason": "No longer needed"},
        {"status": "canceled", "reason": "No longer needed"},
        bad=(
            ({"status": "canceled"}, {"status": "canceled"}),
            ({"status": "done"}, {"status": "done"}),
            ({"status": "in_progress"}, {"status": "in_progress"}),
            ({"status": "x"}, {"status": "x"}),
        ),
    ),
    Twin(
        "POST /tasks/{task_id}/assignees",
        f"POST {TASK}/assign",
        {"assignees": ["$member", "$pm"]},
        {"assignees": ["$member", "$pm"]},
    ),
    Twin("POST /tasks/{task_id}/labels", f"POST {TASK}/labels", {"labels": "$label_id"}, {"labels": ["$label_id"]}),
    Twin(
        "POST /tasks/{task_id}/comments",
        f"POST {TASK}/comments",
        {"body": "Ready for @$member_email", "internal": "on"},
        {"body": "Ready for @$member_email", "internal": True},
        bad=(({"body": " "}, {"body": " "}),),
    ),
    Twin(
        "POST /tasks/{task_id}/comments/{comment_id}/trash",
        "DELETE /api/v1/app/comments/{comment_id}",
        by="pm",
    ),
    Twin(
        "POST /tasks/{task_id}/dependencies",
        f"POST {TASK}/dependencies",
        {"key": "$third_task_key", "type": "SS"},
        {"predecessor_id": "$third_task_id", "type": "SS"},
        bad=(
            ({"key": "$task_key"}, {"predecessor_id": "$task_id"}),
            ({"key": "$third_task_key", "type": "x"}, {"predecessor_id": "$third_task_id", "type": "x"}),
            ({"key": "$other_task_key"}, {"predecessor_id": "$other_task_id"}),
        ),
    ),
    Twin(
        "POST /tasks/{task_id}/dependencies/{dependency_id}/trash",
        f"DELETE {TASK}/dependencies/{{dependency_id}}",
    ),
    Twin("POST /tasks/{task_id}/trash", f"POST {TASK}/trash"),
    Twin("POST /tasks/{task_id}/trash", f"DELETE {TASK}"),
    Twin("POST /tasks/{task_id}/restore", f"POST {TASK}/restore", first=did("POST", f"{TASK}/trash")),
    Twin(
        "POST /projects/{project_key}/imports",
        f"POST {PROJECT}/imports",
        files={"file": ("plan.csv", b"Ref,Name\n1,Dig\n", "text/csv")},
    ),
    Twin(
        "POST /imports/{import_id}/check",
        "POST /api/v1/app/imports/{import_id}/check",
        {"column-1": "name"},
        {"mapping": {"Name": "name"}},
        bad=(({"column-1": "colour"}, {"mapping": {"Name": "colour"}}),),
    ),
    Twin(
        "POST /imports/{import_id}/application",
        "POST /api/v1/app/imports/{import_id}/application",
        first=did("POST", "/api/v1/app/imports/{import_id}/check", {"mapping": {"Name": "name"}}),
    ),
]

TWINS = [*ACCOUNTS, *WORK]

#: Pages that change something and have no like in the API, each with its reason.
ALONE = {
    "POST /set-up/{token}": "the first owner of an installation, before there is anybody who could call the API",
    "POST /sign-in/link/{token}": "a link from the command line of the server, for a browser",
}

#: Twins whose rows in the matrix differ for some caller, each with its reason.
OTHERWISE: dict[str, str] = {}
