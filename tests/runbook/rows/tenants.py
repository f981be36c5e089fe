"""Somebody sees too little, or too much."""

import json

from tests.operate.site import until
from tests.runbook.listener import listening
from tests.runbook.live import APP, FIRM, OWNER
from tests.runbook.walk import Walk, row

ZOE = "zoe@other.example"


@row("$user->tenant_id = $tenantId")
def set_tenant(walk: Walk) -> None:
    said = walk("zena why access EMAIL KEY --tenant FIRM", code=1, EMAIL=ZOE, KEY="HBR-1", FIRM=FIRM)
    assert said.data["broken"] == "member"
    assert said.text.splitlines()[-1] == "first broken link: member"


@row("php artisan route:list, TenantIsolationMiddleware")
def posture(walk: Walk) -> None:
    said = walk("zena config check --database")
    assert said.text.startswith("all settings are in order")
    url = walk.live.urls.superuser
    refused = walk.live.site.run_with({"ZENA_DATABASE_URL": url}, "config", "check", "--database")
    assert (refused.code, "a superuser" in refused.err) == (78, True)


@row("use BelongsToTenant, global scope")
def policies(walk: Walk) -> None:
    command = "zena db check-integrity --quick"
    assert walk(command).data["findings"] == []
    walk.live.as_owner("ALTER TABLE label NO FORCE ROW LEVEL SECURITY")
    try:
        said = walk.once(command, code=1)
        assert "label" in said.text
    finally:
        walk.live.as_owner("ALTER TABLE label FORCE ROW LEVEL SECURITY")


@row("php artisan test --filter TenantIsolation")
def isolation(walk: Walk) -> None:
    said = walk.once("zena tenant verify-isolation", as_json=True)
    assert said.data["findings"] == []
    assert said.data["routes"] > 100
    slugs = [one["slug"] for one in json.loads(walk.live.site.run("tenant", "list", "--json").out)]
    assert slugs == [FIRM, "other"], "the firms it tries on are in no list"


@row('tail -f storage/logs/laravel.log | grep "cross-tenant"')
def cross_tenant(walk: Walk) -> None:
    asked = f"tenant:{walk.live.tenant_away}:tasks"
    with listening(walk.live, walk.live.url.replace("http", "ws") + "/ws", asked, answer="error"):
        pass
    command = "zena logs --channel security --grep cross-tenant"
    until(lambda: walk.live.tenant_away in walk.once(command).text, 90)  # looked for once a minute, off the way
    line = walk(command).data[-1]
    assert (line["event"], line["tenant"]) == ("cross-tenant access attempt", walk.live.tenant)
    assert (line["owner"], line["kind"]) == (walk.live.tenant_away, "tenant")


@row("audit log")
def audit(walk: Walk) -> None:
    project = walk.live.api("GET", f"{APP}/projects?limit=1").json()["data"][0]["id"]
    made = walk.live.api("POST", f"{APP}/tasks", json={"project_id": project, "name": "Audit me"})
    task = made.json()["data"]["id"] if "data" in made.json() else made.json()["id"]
    said = walk("zena logs --channel audit")
    [line] = [one for one in said.data if one.get("subject") == task]
    assert (line["event"], line["tenant"]) == ("task.created", walk.live.tenant)
    command = 'curl -s -H "Authorization: Bearer TOKEN" URL/api/v1/app/audit'
    chained = json.loads(walk.once(command, TOKEN=walk.live.token, URL=walk.live.url).text)
    assert line["entry"] in {one["id"] for one in chained["data"]}


@row("block access at once")
def block(walk: Walk) -> None:
    said = walk.once("zena tenant suspend FIRM --reason TEXT", FIRM="other", TEXT="leak")
    assert said.text.startswith("other ")
    refused = walk.live.site.run("why", "login", ZOE)
    assert "is served" in refused.out.splitlines()[-1] or "suspended" in refused.out
    assert walk.live.api("GET", "/api/v1/me").status_code == 200, "the others are served"
    back = walk.once("zena tenant resume FIRM", as_json=True, FIRM="other")
    assert (back.data["tenant"], back.data["changed"]) == ("other", True)
    changes = json.loads(walk.live.site.run("changes", "--json").out)
    assert "leak" in json.dumps(changes)
    assert OWNER not in json.dumps(changes)
