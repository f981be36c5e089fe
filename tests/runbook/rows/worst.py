"""The worst: replacing, closing, backing up, mending, restoring. In this order."""

import json
import tarfile
import time

import httpx

from tests.operate.site import until
from tests.runbook.live import APP, FIRM, Live
from tests.runbook.walk import Walk, row

CHECK = "zena db check-integrity"


@row("sudo systemctl restart php-fpm")
def restart_web(walk: Walk) -> None:
    before = walk.live.site.crew()
    said = walk.once("zena restart web", as_json=True)
    after = walk.live.site.crew()
    names = ("web-1", "web-2")
    assert said.data["processes"] == [{"name": name, "before": before[name], "after": after[name]} for name in names]
    assert not {before[name] for name in names} & {after[name] for name in names}
    assert after["worker-1"] == before["worker-1"]
    assert walk.live.api("GET", "/api/v1/me").status_code == 200


@row("sudo systemctl restart nginx")
def ready(walk: Walk) -> None:
    said = walk.once("curl -s URL/api/v1/health/ready", URL=walk.live.url)
    assert json.loads(said.text) == {"ok": True, "status": "ok"}


def change(live: Live) -> httpx.Response:
    task = live.task() if live.api("GET", "/api/v1/me").is_success else {"id": "0", "version": 1}
    wish = {"name": f"Renamed {time.monotonic_ns()}"}
    return live.api("PATCH", f"{APP}/tasks/{task['id']}", json=wish, headers={"if-match": f'"{task["version"]}"'})


@row("php artisan down")
def down(walk: Walk) -> None:
    assert change(walk.live).status_code == 200
    reading = walk.once("zena down --read-only", as_json=True)
    assert reading.data["mode"] == "read_only"
    assert walk.live.api("GET", f"{APP}/tasks?limit=1").status_code == 200
    refused = change(walk.live)
    assert (refused.status_code, refused.json()["code"]) == (503, "MAINTENANCE")
    closed = walk.once('zena down --message "Back at 22:00."')
    assert closed.text.startswith("closed")
    page = httpx.get(walk.live.url + "/sign-in", headers={"accept": "text/html"})
    assert page.status_code in {200, 503}
    told = walk.live.api("GET", f"{APP}/tasks")
    assert (told.status_code, "Back at 22:00." in told.text, "retry-after" in told.headers) == (503, True, True)


@row("php artisan up")
def up(walk: Walk) -> None:
    walk.live.site.run("down", "--message", "Back at 22:00.")
    assert walk.live.api("GET", f"{APP}/tasks").status_code == 503
    said = walk.once("zena up")
    assert said.text.startswith("open")
    assert change(walk.live).status_code == 200
    assert "nothing to do" in walk.live.site.run("up").out


@row("mysqldump -u user -p database > backup.sql")
def backup(walk: Walk) -> None:
    made = walk.once("zena backup create", as_json=True).data
    listed = walk("zena backup list")
    assert listed.data[0]["archive"] == made["archive"].rpartition("/")[2]
    assert listed.data[0]["archive"] in listed.text
    checked = walk.once("zena backup verify latest", as_json=True).data
    assert checked["rows"] == made["rows"]
    assert walk.live.site.run("status").out.count("NONE") == 0


@row("php artisan db:check-integrity")
def check(walk: Walk) -> None:
    assert walk(CHECK).data["findings"] == []
    walk.live.orphan()
    said = walk.once(CHECK, code=1)
    assert "task_label" in said.text
    found = {one["check"]: one for one in walk.once(CHECK, code=1, as_json=True).data["findings"]}
    assert sorted(found) == ["invariant", "orphans"]
    assert found["orphans"]["subject"] == "task_label: fk_task_label_tenant_id_task_id"
    assert (found["orphans"]["count"], found["orphans"]["repair"]) == (1, "delete the rows")
    assert walk.live.site.run("db", "check-integrity", "--quick", "--repair", "--yes").code == 0


@row("fix orphaned records, restore foreign keys")
def repair(walk: Walk) -> None:
    walk.live.orphan()
    planned = walk.once("zena db check-integrity --repair", code=64)
    assert "[delete the rows]" in planned.text
    assert "--yes" in planned.err
    done = walk.once("zena db check-integrity --repair --yes")
    assert "everything is whole" in done.text
    assert walk.live.ops("SELECT count(*) FROM ops.integrity_undo WHERE relation LIKE '%task_label%'") >= 1


@row("mysql database < backup.sql")
def restore(walk: Walk) -> None:
    if not list((walk.live.site.folder / "backups").glob("*.zbk")):
        assert walk.live.site.run("backup", "create").code == 0
    before = walk.live.task()
    assert change(walk.live).status_code == 200
    asked = walk.once("zena backup restore latest", code=64)
    assert asked.text == ""
    assert walk.live.task()["version"] == before["version"] + 1
    done = walk.once("zena backup restore latest --yes", as_json=True)
    assert done.data["former"].startswith("zena_before_")
    until(lambda: httpx.get(walk.live.url + "/api/v1/health").is_success)
    assert walk.live.ops("SELECT count(*) FROM tenant WHERE slug = 'meridian-works'") == 1
    assert FIRM in walk.live.site.run("tenant", "list").out


@row("call somebody: PagerDuty, Slack")
def bundle(walk: Walk) -> None:
    path = walk.live.site.folder / "evidence.tar.gz"
    said = walk.once("zena bundle --out FILE", FILE=path)
    assert said.text.startswith(str(path))
    with tarfile.open(path) as packed:
        names = packed.getnames()
        texts = [opened.read() for name in names if (opened := packed.extractfile(name)) is not None]
    assert any("requests" in name for name in names)
    assert {"health.json", "incidents.json"} <= {name.rpartition("/")[2] for name in names}, "the server was asked too"
    assert any(walk.live.site.folder.name.encode() in text for text in texts)
    assert not any(walk.live.token.encode() in text for text in texts)
    assert path.stat().st_mode & 0o077 == 0
