"""A page or the API is slow."""

import json

import httpx
import pytest

from tests.runbook.live import APP, FIRM, LOOKS, OWNER
from tests.runbook.walk import Walk, row

PATCH = "/api/v1/app/tasks/{task_id}"
COMMENTS = "/api/v1/app/tasks/{task_id}/comments"


@row("php artisan tinker")
def tinker(walk: Walk) -> None:
    [command] = walk.word.commands
    counted = "SELECT count(*) FROM task JOIN tenant ON tenant.id = tenant_id WHERE slug = 'meridian-works'"
    tasks = walk.live.ops(counted)
    assert walk.live.ops("SELECT count(*) FROM task") >= tasks > 100
    assert str(tasks) in walk.once(command, FIRM=FIRM).text
    refused = walk.live.site.run("shell", "-c", "await scope('meridian-works'); await sql('DELETE FROM task')")
    assert (refused.code, "read-only transaction" in refused.err) == (1, True)
    assert walk.live.ops(counted) == tasks


@row("DB::enableQueryLog(), DB::getQueryLog()")
def query_log(walk: Walk) -> None:
    said = walk("zena trace GET /dashboard --as EMAIL", EMAIL=OWNER)
    assert said.text.startswith("GET /dashboard -> 200, ")
    assert "SELECT * FROM gate.enter($1, $2)" in said.text
    assert (said.data["status"], said.data["route"], said.data["tenant"]) == (200, "/dashboard", walk.live.tenant)
    callers = [one["caller"] or "" for one in said.data["queries"]]
    assert any(caller.startswith("insight/queries.py:") for caller in callers)
    assert [one for one in said.data["repeated"] if one["n_plus_one"]] == []


@row("Laravel Debugbar, Telescope")
def kept_requests(walk: Walk) -> None:
    listed = walk("zena requests slow")
    worst = listed.data[0]
    assert (worst["request_id"], worst["route"], worst["kept_for"]) == (walk.live.slow, PATCH, "slow")
    assert worst["db_ms"] > 500
    assert walk.live.slow in listed.text.splitlines()[1]
    shown = walk("zena requests show ID", ID=walk.live.slow)
    waited = max(shown.data["facts"]["statements"], key=lambda one: one["ms"])
    assert waited["caller"].startswith("work/policy.py:")
    assert shown.text.startswith(f"PATCH {PATCH} -> 200, ")
    why = walk("zena why slow ID", ID=walk.live.slow)
    assert "database" in why.data["verdict"]
    assert why.text.splitlines()[-1] == f"verdict    {why.data['verdict']}"


@row("Project::with('tasks', 'members')->get() against N+1")
def repeats(walk: Walk) -> None:
    said = walk("zena requests slow --for repeated")
    assert said.data == []
    assert said.text.splitlines()[1:] == ["(none)"]


@row("curl http://localhost:8000/api/v1/metrics")
def metrics(walk: Walk) -> None:
    found = json.loads(walk.once("curl -s URL/api/v1/metrics", URL=walk.live.url).text)
    routes = {one["route"]: one for one in found["http"]["routes"]}
    looked = routes["GET /dashboard"]
    assert (looked["count"], looked["bad"]) == (LOOKS, 0)
    assert 0 < looked["p50_ms"] <= looked["p95_ms"] <= looked["p99_ms"] <= looked["max_ms"] * 1.02
    changed = routes[f"PATCH {PATCH}"]
    assert (changed["count"], changed["slow"]) == (1, 1)
    assert changed["p95_ms"] == pytest.approx(changed["max_ms"], rel=0.02)
    assert routes[f"GET {COMMENTS}"]["bad_rate"] == 1.0
    away = httpx.get(f"{walk.live.url}/api/v1/metrics", headers={"x-forwarded-for": "203.0.113.9"})
    assert away.status_code in {401, 403}
    assert walk.live.api("GET", f"{APP}/tasks/{walk.live.task()['id']}/comments").status_code == 200, "mended since"
