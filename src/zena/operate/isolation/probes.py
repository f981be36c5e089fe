"""The two firms that are tried on each other: made over the API when they are missing, and stable from then on."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from zena.accounts.facade import add_member, cookie_name, create_tenant, create_user, issue_sign_in_link
from zena.kit.db import Raw
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work
from zena.operate.isolation.caller import Answer, Caller
from zena.operate.tenants import erasing
from zena.operate.tenants.firms import Firm
from zena.operate.tenants.tables import tenant_tables

#: What marks them; the functions of schema gate leave out firms of this plan.
PLAN: Final = "probe"
_PREFIX: Final = "probe-"
_APP: Final = "/api/v1/app"
_VALID: Final = timedelta(days=30)
_THERE: Final = "SELECT id, slug, name, status, plan FROM tenant WHERE plan = $1 AND starts_with(slug, $2) ORDER BY id"
_GIVE_UP: Final = "UPDATE tenant SET status = 'inactive' WHERE plan = $1 AND starts_with(slug, $2)"
_WHOLE: Final = "SELECT EXISTS (SELECT FROM import_run WHERE tenant_id = $1 AND state = 'checked')"
_SECRET: Final = "SELECT form_secret FROM session WHERE token_hash = sha256(convert_to($1, 'UTF8'))"  # noqa: S105 - a query
#: Where the ids that stand in addresses come from, by the parameter's name.
_IDS: Final = {
    "project_id": "SELECT id::text FROM project WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
    "project_key": "SELECT key FROM project WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
    "task_id": "SELECT id::text FROM task WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
    "other_task_id": "SELECT id::text FROM task WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id OFFSET 1",
    "label_id": "SELECT id::text FROM label WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "comment_id": "SELECT id::text FROM comment WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "dependency_id": "SELECT id::text FROM task_dependency WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "bulk_id": "SELECT id::text FROM bulk_change WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "import_id": "SELECT id::text FROM import_run WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "member_id": "SELECT id::text FROM membership WHERE tenant_id = $1 AND role = 'client' ORDER BY id LIMIT 1",
    "invitation_id": "SELECT id::text FROM invitation WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "visit_id": "SELECT id::text FROM support_visit WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "token_id": "SELECT id::text FROM api_token WHERE tenant_id = $1 ORDER BY id LIMIT 1",
    "session_id": "SELECT s.id::text FROM session s JOIN membership m ON m.user_id = s.user_id"
    " WHERE m.tenant_id = $1 ORDER BY s.id DESC LIMIT 1",
}
#: Not over the API, which would send a letter to nobody.
_OFFER: Final = """
INSERT INTO invitation (tenant_id, id, email, role, token_hash, expires_at)
VALUES ($1, $2, $3, 'member', sha256(convert_to($3, 'UTF8')), now() + interval '7 days')
"""
#: Nobody's: it opens nothing, and is there to be asked for.
_VISIT: Final = """
INSERT INTO support_visit (tenant_id, id, operator_id, operator_name, reason, ends_at)
VALUES ($1, $2, $2, $3, $3, now() + interval '15 minutes')
"""


@dataclass(slots=True)
class Probe:
    """One of the two. `ids` by the names of parameters; `owner` and `client` are its people's browsers."""

    firm: Firm
    mark: str
    owner: Caller
    client: Caller
    ids: dict[str, str] = field(default_factory=dict)
    canaries: frozenset[str] = frozenset()


async def probes(state: State, app: Any, conn: Raw) -> tuple[Probe, Probe]:
    """Return both, signed in; one that is missing, or was left half made, is made. `conn` is of zena_ops."""
    there = []
    for row in await conn.fetch(_THERE, PLAN, _PREFIX):
        firm = Firm(*row)
        if firm.status == "active" and await conn.fetchval(_WHOLE, firm.id):
            there.append(firm)
        else:
            await erasing.begin(state, firm, "zena tenant verify-isolation", settling=0)
            await erasing.erase(state, firm.id)
    while len(there) < 2:  # noqa: PLR2004 - one tries, one is tried
        there.append(await _made(state, app, conn))
    first, second = [await _entered(state, app, conn, firm) for firm in there[:2]]
    return first, second


async def give_up(conn: Raw) -> None:
    """Have both made anew by whoever tries next: one may hold words of the other."""
    await conn.execute(_GIVE_UP, PLAN, _PREFIX)


async def leave(both: Sequence[Probe]) -> None:
    """Sign everybody out again."""
    for caller in (caller for probe in both for caller in (probe.owner, probe.client)):
        await caller.send("POST", "/api/v1/auth/logout")


async def _made(state: State, app: Any, conn: Raw) -> Firm:
    """Found one whose every text holds a word that stands nowhere else, and give it one of everything."""
    mark = "q" + "".join(secrets.choice("jkqvwxz") for _ in range(24))
    at = state.clock.now()
    async with unit_of_work(state.db) as session:
        owner = await create_user(session, email=_address("owner", mark), name=f"Owner {mark}")
        client = await create_user(session, email=_address("client", mark), name=f"Client {mark}")
        await enter_tenant(session, None, owner)
        scope = await create_tenant(
            session, name=f"Probe {mark}", owner=owner, at=at, slug=f"{_PREFIX}{mark}", plan=PLAN, timezone="UTC"
        )
        await add_member(session, scope, user=client, role="client")
    firm = Firm(scope.tenant, scope.tenant_slug, scope.tenant_name, "active", PLAN)
    probe = await _entered(state, app, conn, firm)
    await conn.execute(_OFFER, firm.id, new_id(), _address("guest", mark))
    await conn.execute(_VISIT, firm.id, new_id(), f"Visit {mark}")
    await _Furnishing(probe.owner, mark, probe.ids, (at + _VALID).isoformat()).run()
    await leave([probe])
    return firm


async def _entered(state: State, app: Any, conn: Raw, firm: Firm) -> Probe:
    mark = firm.slug.removeprefix(_PREFIX)
    owner, client = [await _signed_in(state, app, conn, _address(role, mark)) for role in ("owner", "client")]
    ids = {name: await conn.fetchval(sql, firm.id) or str(UUID(int=0)) for name, sql in _IDS.items()}
    for name, number in (("task_key", 1), ("other_task_key", 2)):
        ids[name] = f"{ids['project_key']}-{number}"
    ids |= {
        "tenant_id": str(firm.id),
        "token": mark,
        "request_id": mark,
        "number": "1",
        "version": "0",
        "path": "nothing.css",
        "mark": mark,
    }
    return Probe(firm, mark, owner, client, ids, await _canaries(conn, firm, mark))


async def _canaries(conn: Raw, firm: Firm, mark: str) -> frozenset[str]:
    """Return what nobody outside may read: the mark, and the id of everything there is."""
    found = {mark, str(firm.id)}
    for table in await tenant_tables(conn):
        if "id" in table.columns:
            rows = await conn.fetch(f"SELECT id::text FROM {table.quoted} WHERE tenant_id = $1", firm.id)  # noqa: S608 - a name that the catalog quoted
            found.update(row["id"] for row in rows)
    return frozenset(found)


async def _signed_in(state: State, app: Any, conn: Raw, email: str) -> Caller:
    """Come in by a one-time link, as anybody would."""
    caller = Caller(app, state.settings.public_url)
    link = await issue_sign_in_link(state.db, state.settings.public_url, email)
    if link is None:
        raise LookupError(f"{email} has no account")
    answer = await caller.send("POST", f"/sign-in/link/{link.rsplit('/', 1)[-1]}")
    value = answer.cookies[cookie_name(state)]
    caller.cookie = f"{cookie_name(state)}={value}"
    caller.form_secret = await conn.fetchval(_SECRET, value)
    return caller


def _address(role: str, mark: str) -> str:
    return f"{role}@{mark}.invalid"


@dataclass(slots=True)
class _Furnishing:
    """One of everything that people can make; the upload comes last and says that all is there."""

    owner: Caller
    mark: str
    ids: dict[str, str]
    until: str

    async def run(self) -> None:
        mark, member = self.mark, self.ids["member_id"]
        key = f"K{mark[1:9]}".upper()
        fields = {
            "name": f"Project {mark}",
            "key": key,
            "description": mark,
            "tags": [mark],
            "budget_planned": 4_000_000,
        }
        project = await self._tell("/projects", fields)
        await self._tell(f"/projects/{project}/members", {"member_id": member, "role": "viewer"})
        label = await self._tell("/labels", {"name": f"Label {mark}", "hue": 4})
        task = {
            "description": mark,
            "due_on": "2026-01-10",
            "assignees": [member],
            "labels": [label],
            "estimate_min": 60,
        }
        tasks = f"/projects/{project}/tasks"
        first, second, gone = [await self._tell(tasks, task | {"name": f"{one} {mark}"}) for one in ("A", "B", "Gone")]
        await self._tell(f"/tasks/{gone}/trash")
        await self._tell(f"/tasks/{first}/dependencies", {"predecessor_id": second})
        await self._tell(f"/tasks/{second}/move", {"status": "in_progress"})
        await self._tell(f"/tasks/{second}/move", {"status": "blocked", "reason": mark})
        await self._tell(f"/tasks/{first}/comments", {"body": f"Said {mark}"})
        await self._tell("/tasks/bulk", {"ids": [second], "set": {"priority": "low"}})
        await self._tell("/tokens", {"name": mark, "scopes": ["tasks.view"], "expires_at": self.until})
        upload = f"name,notes\n{mark},{mark}\n".encode()
        run = _id(_taken(await self.owner.send("POST", f"{_APP}/projects/{project}/imports", upload=upload)))
        await self._tell(f"/imports/{run}/check", {})

    async def _tell(self, path: str, body: Any = None) -> str:
        return _id(_taken(await self.owner.send("POST", f"{_APP}{path}", body)))


def _taken(answer: Answer) -> Answer:
    if answer.status >= 300:  # noqa: PLR2004 - what is not taken
        raise RuntimeError(f"a probe firm could not be furnished: {answer.text[-300:]}")
    return answer


def _id(answer: Answer) -> str:
    """Return the id in an answer, at its top or one step below; empty where it names none."""
    body: Any = msgspec.json.decode(answer.text.rpartition("\n\n")[2] or "{}")
    parts = [body, *(part for part in body.values() if isinstance(part, dict))]
    return next((str(part["id"]) for part in parts if "id" in part), "")
