"""Figures are old, the cache does not help."""

import json
import signal

from tests.operate.site import until
from tests.runbook.live import APP, FIRM, LOOKS, Live
from tests.runbook.walk import Walk, row
from zena.kit.cache.stats import Reason

FIGURES = f"{APP}/dashboard"


def new_task(live: Live) -> None:
    project = live.api("GET", f"{APP}/projects?limit=1").json()["data"][0]["id"]
    made = live.api("POST", f"{APP}/tasks", json={"project_id": project, "name": "Pour the slab"})
    assert made.status_code == 201, made.text


def fresh(live: Live) -> int:
    """Change something, so that what is kept has its whole minute before it; return the version of the figures."""
    new_task(live)
    return version(live)


def version(live: Live) -> int:
    """Look at the dashboard, which keeps its figures, and return the version they have."""
    assert live.api("GET", FIGURES).status_code == 200
    found = live.ops(f"SELECT (versions ->> 'dashboard')::int FROM tenant_head WHERE tenant_id = '{live.tenant}'")  # noqa: S608 - ours
    return int(found)


def looked_up(live: Live) -> tuple[int, dict[str, object]]:
    ran = live.site.run("cache", "get", f"kpi:{FIRM}:dashboard", "--json")
    return ran.code, json.loads(ran.out)


@row("app(MetricsService::class)->getCacheHitRate()")
def hit_rate(walk: Walk) -> None:
    said = walk("zena cache stats")
    [looked] = [one for one in said.data["families"] if one["family"] == "dashboard"]
    # The first look of all, and the first at each of the two parts that make the page.
    assert looked["lookups"] >= LOOKS
    assert looked["hit_rate"] > 0.8
    assert looked["misses"]["cold"] >= 1
    assert said.data["backend"] == "redis"
    assert "cold" in next(line for line in said.text.splitlines() if line.startswith("dashboard"))


@row("Cache::get('kpi:tenant_123:dashboard')")
def what_is_kept(walk: Walk) -> None:
    command = "zena cache get kpi:FIRM:dashboard"
    before = fresh(walk.live)
    said = walk(command, FIRM=FIRM)
    [key] = [one for one in said.data if one.startswith(f"kpi:{walk.live.tenant}:dashboard:all")]
    assert said.data[key]["version"] == before
    assert 0 <= said.data[key]["age_seconds"] < 60
    assert f"version {before}, computed " in said.text
    new_task(walk.live)
    assert walk(command, code=1, FIRM=FIRM).data == {}, "who writes is never shown less"
    assert version(walk.live) > before
    assert walk(command, FIRM=FIRM).data != {}


@row("CacheInvalidationService::invalidateKpi($tenantId)")
def invalidate(walk: Walk) -> None:
    before = version(walk.live)
    said = walk.once("zena cache clear --tenant FIRM --family dashboard", as_json=True, FIRM=FIRM)
    assert said.data == {"firms": 1, "families": ["dashboard"]}
    assert looked_up(walk.live) == (1, {})
    assert version(walk.live) == before, "what is counted has not changed"
    assert looked_up(walk.live)[0] == 0


@row("php artisan cache:clear")
def clear(walk: Walk) -> None:
    version(walk.live)
    firms = walk.live.ops("SELECT count(*) FROM tenant")
    said = walk.once("zena cache clear")
    assert said.text == f"dashboard, projects, tasks, team: computed at the next look; firms: {firms}\n"
    assert looked_up(walk.live) == (1, {})
    assert walk.live.ops("SELECT what FROM ops.change ORDER BY id DESC LIMIT 1") == "cache clear"


@row("php artisan config:clear")
def settings(walk: Walk) -> None:
    said = walk("zena config check")
    assert said.text == "all settings are in order (production)\n"
    assert (said.data["ok"], said.data["env"]) == (True, "production")
    planned = walk("zena config reload --dry-run")
    assert (planned.data["changed"], planned.data["processes"]) == ([], [])
    assert planned.text.startswith("no setting differs")


@row("'kpi_cache_ttl' => 120")
def time_to_live(walk: Walk) -> None:
    said = walk("zena cache stats --minutes 60")
    reasons = {reason for one in said.data["families"] for reason in one["misses"]}
    assert reasons, "the first look of all was a miss"
    assert reasons <= set(Reason), "each says what would help"


@row('redis-cli KEYS "kpi:*"')
def keys(walk: Walk) -> None:
    fresh(walk.live)
    said = walk("zena cache keys 'kpi:*'")
    assert said.data["more"] is False
    # Two commands at once: what was kept a minute ago may end between them, what was kept just now is told by both.
    told, mine = said.text.splitlines(), f"kpi:{walk.live.tenant}:dashboard:"
    assert [key for key in told if key.startswith(mine) and key in said.data["keys"]]
    assert all(key.startswith("kpi:") for key in [*told, *said.data["keys"]])
    empty = walk.live.site.run("cache", "keys", "nothing:*")
    assert (empty.code, empty.out) == (0, "(none)\n")


@row("redis-cli ping")
def ping(walk: Walk) -> None:
    said = walk("zena cache ping")
    assert said.text.startswith("ok: ")
    assert (said.data["backend"], said.data["role"]) == ("redis", "master")
    assert said.data["redis_version"] in said.text
    unaware = walk.live.site.run_with({"ZENA_REDIS_URL": None}, "cache", "ping")
    assert (unaware.code, "set ZENA_REDIS_URL as for the server" in unaware.err) == (78, True)


@row("Cache::put('test', 'value', 60), Cache::get('test')")
def put_and_get(walk: Walk) -> None:
    said = walk.once("zena cache ping --json")
    assert 0 < json.loads(said.text)["slowest_ms"] < 1000


@row("CACHE_DRIVER=redis, REDIS_HOST=127.0.0.1")
def cache_settings(walk: Walk) -> None:
    said = walk("zena config show")
    shown = {one["variable"]: one["value"] for one in said.data}
    assert shown["ZENA_REDIS_URL"].endswith(f"127.0.0.1:{walk.live.redis.port}/0")
    assert shown["ZENA_WEB_PROCESSES"] == "2"
    assert f"127.0.0.1:{walk.live.redis.port}/0" in said.text


@row("sudo systemctl restart redis")
def restart_redis(walk: Walk) -> None:
    def state() -> bool:
        found = json.loads(walk.once("curl -s URL/api/v1/health", URL=walk.live.url).text)
        assert found["ok"], "people see no error"
        [cache] = [one for one in found["dependencies"] if one["name"] == "cache"]
        return bool(cache["ok"])

    assert state()
    walk.live.redis.process.send_signal(signal.SIGKILL)
    walk.live.redis.process.wait()
    gone = walk.live.site.run("cache", "ping")
    assert (gone.code, gone.err.count("\n")) == (69, 1)
    for _ in range(8):
        assert walk.live.api("GET", FIGURES).status_code == 200
    with walk.live.redis_again():
        until(state)
        until(
            lambda: walk.live.api("GET", FIGURES).is_success and walk.live.site.run("cache", "keys").out != "(none)\n"
        )
