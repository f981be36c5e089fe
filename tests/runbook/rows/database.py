"""The database is slow, or refuses."""

import json
import threading

from tests.kit.pg import ask
from tests.operate.site import until
from tests.runbook.live import FIRM
from tests.runbook.walk import Walk, row


@row("MySQL slow query log")
def slow_statements(walk: Walk) -> None:
    said = walk("zena db slow --hours 24")
    waited = said.data[0]
    assert waited["caller"].startswith("work/policy.py:")
    assert (waited["slow"], waited["max_ms"] > 500) == (1, True)
    assert waited["text"].startswith("SELECT task.")
    assert waited["fingerprint"] in said.text.splitlines()[1]


@row("SHOW INDEXES FROM projects")
def indexes(walk: Walk) -> None:
    said = walk("zena db indexes project")
    found = {one["index"]: one for one in said.data}
    assert found["pk_project"]["definition"].endswith("(tenant_id, id)")
    assert all(one["valid"] for one in said.data)
    assert "uq_project_tenant_id_key" in said.text


@row("EXPLAIN SELECT * FROM projects WHERE tenant_id = ?")
def explain(walk: Walk) -> None:
    [command] = walk.word.commands
    said = walk(command, FIRM=FIRM)
    assert "One-Time Filter" in said.text, "the policy of the application's role is in the plan"
    assert "project" in json.dumps(said.data["plan"])


@row("CREATE INDEX idx_tenant_status ON projects(tenant_id, status)")
def create_index(walk: Walk) -> None:
    [command] = walk.word.commands
    try:
        assert walk.once(command).text == "CREATE INDEX\n"
        listed = json.loads(walk.live.site.run("db", "indexes", "project", "--json").out)
        [made] = [one for one in listed if one["index"] == "idx_tenant_status"]
        assert (made["valid"], "(tenant_id, status)" in made["definition"]) == (True, True)
    finally:
        ask(walk.live.urls.owner, "DROP INDEX CONCURRENTLY IF EXISTS idx_tenant_status", "SELECT 1")


@row("mysqladmin ping")
def ping(walk: Walk) -> None:
    said = walk("zena db ping")
    version = walk.live.ops("SELECT current_setting('server_version')")
    assert (said.data["server"], said.data["user"]) == (version, "zena_app")
    assert said.text.startswith(f"ok: PostgreSQL {version} as zena_app, ")


@row("SHOW PROCESSLIST")
def process_list(walk: Walk) -> None:
    said = walk("zena db activity --all")
    who = [one["who"] for one in said.data]
    assert sum(name == "zena_app zena-web" for name in who) >= 1
    assert "zena_app zena-worker" in " ".join(who)
    assert "checkpointer" in said.text


@row("curl http://localhost:8000/api/v1/health")
def health(walk: Walk) -> None:
    found = json.loads(walk.once("curl -s URL/api/v1/health", URL=walk.live.url).text)
    assert (found["ok"], found["status"]) == (True, "ok")
    names = [one["name"] for one in found["dependencies"]]
    assert {"database", "cache", "disk", "worker", "live_updates", "logs"} <= set(names)
    assert all(one["ok"] and one["latency_ms"] >= 0 for one in found["dependencies"])


_WITH_LOCK = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%FROM project ORDER BY id LIMIT 1 FOR UPDATE' AND {}"


@row("sudo systemctl restart mysql")
def who_keeps_whom_waiting(walk: Walk) -> None:
    lock = "SELECT 1 FROM project ORDER BY id LIMIT 1 FOR UPDATE"
    over = threading.Event()
    holds = threading.Thread(target=lambda: walk.live.hold(lock, over))
    waits = threading.Thread(target=lambda: walk.live.ops("BEGIN", lock, "COMMIT", "SELECT 1"))
    holds.start()
    try:
        until(lambda: walk.live.ops(_WITH_LOCK.format("state = 'idle in transaction'")))
        waits.start()
        until(lambda: walk.live.ops(_WITH_LOCK.format("wait_event_type = 'Lock'")))
        keeping = walk.live.ops(_WITH_LOCK.format("state = 'idle in transaction'"))
        waiting = walk.live.ops(_WITH_LOCK.format("wait_event_type = 'Lock'"))
        said = walk("zena db activity")
        shown = {one["pid"]: one for one in said.data}
        assert shown[keeping]["state"] == "idle in transaction"
        assert str(keeping) in str(shown[waiting]["waits_for"])
        assert str(waiting) in said.text
    finally:
        over.set()
        holds.join()
        waits.join()


@row("max_connections = 200")
def connections(walk: Walk) -> None:
    said = walk("zena status")
    most = walk.live.ops("SELECT current_setting('max_connections')::int")
    assert said.data["server"]["most"] == most
    assert 5 < said.data["server"]["connections"] < most
    assert f"of {most} connections" in said.text
    assert [one["role"] for one in said.data["processes"]] == ["web", "web", "websocket", "worker"]
