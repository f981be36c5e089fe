"""A firm with something in every text field, made over the API; each text holds the firm's own mark."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.conformance.crawl import form_headers
from tests.factories import Firm, make_firm
from tests.factories.firms import As
from tests.factories.support import make_visit
from zena.accounts.permissions import Role
from zena.kit.state import State

APP = "/api/v1/app"
ANY_VERSION = {"If-Match": "*"}
SECRET = "not-told-twice"


@dataclass(slots=True)
class Scene:
    """One furnished firm. `ids` holds what stands in paths, by the parameter's name."""

    firm: Firm
    mark: str
    http: httpx.AsyncClient
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def canaries(self) -> set[str]:
        """What nobody outside may ever read, in lower case: the mark, the addresses, every id."""
        people = {caller.email for caller in self.firm.people.values()}
        own = {str(self.firm.tenant), *(str(caller.member) for caller in self.firm.people.values())}
        ids = {value.lower() for name, value in self.ids.items() if name not in {"version", "path", "number"}}
        return {self.mark, self.firm.slug, *people, *own, *ids}

    def by(self, role: str = "owner") -> As:
        return self.firm.client(self.http, role)

    async def tell(self, method: str, url: str, body: Any = None, *, by: str = "owner", **options: Any) -> Any:
        """Send something that has to be taken; return the JSON of the answer."""
        answer = await self.by(by).send(method, url, json=body, **options)
        assert answer.status_code < 300, f"{method} {url}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


async def furnished(state: State, http: httpx.AsyncClient) -> Scene:
    """Make a firm whose every text holds one word that stands nowhere else."""
    letters = random.SystemRandom().choices("jkqvwxz", k=7)
    scene = Scene(await make_firm(state.db), "q" + "".join(letters), http)
    await _people(scene)
    await _projects(scene)
    await _tasks(scene)
    await _talk_and_trash(scene)
    await _import(scene)
    scene.ids["visit_id"] = str(await make_visit(state.db, scene.firm, f"Request about {scene.mark}"))
    return scene


async def _people(scene: Scene) -> None:
    firm, mark = scene.firm, scene.mark
    await scene.tell("PATCH", f"{APP}/settings", {"name": f"Firm {mark}"}, headers=ANY_VERSION)
    for role in Role:
        await scene.tell("PATCH", "/api/v1/me", {"name": f"{role} {mark}"}, by=role, headers=ANY_VERSION)
    offer = await scene.tell("POST", f"{APP}/invitations", {"email": f"{mark}@guest.test", "role": "member"})
    end = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    token = await scene.tell("POST", f"{APP}/tokens", {"name": mark, "scopes": ["tasks.view"], "expires_at": end})
    scene.ids |= {
        "request_id": uuid4().hex,  # of no request that was kept: those are for operators alone
        "number": "999999",  # of no incident: those are for operators alone
        "tenant_id": str(firm.tenant),
        "member_id": str(firm.people[Role.MEMBER].member),
        "session_id": str(firm.people[Role.OWNER].session),
        "invitation_id": str(_found(offer, "id")),
        "token_id": str(_found(token, "id")),
        "token": str(_found(token, "secret")),
        "version": "0",
        "path": "nothing.css",
    }


async def _projects(scene: Scene) -> None:
    mark = scene.mark
    fields = {
        "name": f"Project {mark}",
        "key": f"K{mark[1:]}".upper(),  # a canary of its own, so that sending the key does not hide the mark
        "description": f"About {mark}",
        "tags": [mark],
        "start_on": "2026-01-05",
        "end_on": "2026-12-18",
        "priority": "urgent",
        "budget_planned": 5_000_000,
        "budget_actual": 6_000_000,
    }
    project = await scene.tell("POST", f"{APP}/projects", fields)
    scene.ids |= {"project_id": project["id"], "project_key": project["key"]}
    own = f"{APP}/projects/{project['id']}"
    for role, part in (("pm", "manager"), ("member", "contributor"), ("viewer", "viewer"), ("client", "viewer")):
        await scene.tell(
            "POST", f"{own}/members", {"member_id": str(scene.firm.people[Role(role)].member), "role": part}
        )
    await scene.tell("POST", f"{APP}/projects", {"name": f"Second {mark}"})
    gone = await scene.tell("POST", f"{APP}/projects", {"name": f"Gone {mark}", "description": mark})
    await scene.tell("POST", f"{APP}/projects/{gone['id']}/trash")
    scene.ids["trashed_project_id"] = gone["id"]
    label = await scene.tell("POST", f"{APP}/labels", {"name": f"Label {mark}", "hue": 4})
    scene.ids["label_id"] = label["id"]


async def _tasks(scene: Scene) -> None:
    mark, ids = scene.mark, scene.ids
    made = []
    for number, due in enumerate(("2026-01-10", "2026-02-10", "2026-03-10", "2026-04-10"), 1):
        fields: dict[str, Any] = {"name": f"Task {number} {mark}", "description": f"**{mark}**", "due_on": due}
        fields |= {"assignees": [ids["member_id"]], "labels": [ids["label_id"]], "estimate_min": 480}
        made.append(await scene.tell("POST", f"{APP}/projects/{ids['project_id']}/tasks", fields))
    first, second, third, fourth = (task["id"] for task in made)
    ids |= {"task_id": first, "other_task_id": second, "third_task_id": third, "task_key": f"{ids['project_key']}-1"}
    ids["third_task_key"] = f"{ids['project_key']}-3"
    await scene.tell("POST", f"{APP}/tasks/{first}/dependencies", {"predecessor_id": second})
    links = await scene.tell("GET", f"{APP}/tasks/{first}/dependencies")
    ids["dependency_id"] = links["data"][0]["id"]
    await scene.tell("POST", f"{APP}/tasks/{third}/move", {"status": "in_progress"})
    await scene.tell("POST", f"{APP}/tasks/{third}/move", {"status": "blocked", "reason": f"Waits for {mark}"})
    await scene.tell("POST", f"{APP}/tasks/{fourth}/move", {"status": "canceled", "reason": f"Not now {mark}"})


async def _talk_and_trash(scene: Scene) -> None:
    mark, ids = scene.mark, scene.ids
    said = await scene.tell("POST", f"{APP}/tasks/{ids['task_id']}/comments", {"body": f"Said {mark}"})
    await scene.tell("POST", f"{APP}/tasks/{ids['task_id']}/comments", {"body": f"Inside {mark}", "internal": True})
    ids["comment_id"] = said["id"]
    gone = await scene.tell("POST", f"{APP}/projects/{ids['project_id']}/tasks", {"name": f"Gone {mark}"})
    await scene.tell("POST", f"{APP}/tasks/{gone['id']}/trash")
    ids["trashed_task_id"] = gone["id"]
    bulk = await scene.tell("POST", f"{APP}/tasks/bulk", {"ids": [ids["other_task_id"]], "set": {"priority": "low"}})
    ids["bulk_id"] = bulk["id"]


async def _import(scene: Scene) -> None:
    mark, ids = scene.mark, scene.ids
    lines = ["name,notes,due", f"Imported {mark},{mark},2026-05-01", f"Wrong {mark},{mark},never {mark}"]
    files = {"file": (f"{mark}.csv", "\n".join(lines).encode(), "text/csv")}
    speaker = scene.by()
    answer = await speaker.post(
        f"{APP}/projects/{ids['project_id']}/imports", files=files, headers=form_headers(speaker)
    )
    assert answer.status_code == 201, answer.text
    ids["import_id"] = answer.json()["id"]
    await scene.tell("POST", f"{APP}/imports/{ids['import_id']}/check", {})


def _found(answer: Any, name: str) -> Any:
    """Return a member of an answer, at its top or one step below."""
    if name in answer:
        return answer[name]
    return next(part[name] for part in answer.values() if isinstance(part, dict) and name in part)
