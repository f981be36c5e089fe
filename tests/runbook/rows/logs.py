"""Errors and their records, promises."""

import signal
import stat

import yaml

from tests.runbook.live import LOOKS, LOST
from tests.runbook.walk import Walk, row

MISSING = "asyncpg.exceptions.UndefinedColumnError"


@row("tail -f storage/logs/laravel.log | grep ERROR")
def errors(walk: Walk) -> None:
    said = walk("zena logs --level error")
    [line] = [one for one in said.data if (one["request_id"], one["channel"]) == (walk.live.failed, "app")]
    assert (line["code"], line["what"], line["tenant"]) == ("SERVER_ERROR", MISSING, walk.live.tenant)
    assert {one["level"] for one in said.data} == {"error"}
    assert walk.live.failed in said.text
    following = walk.begin("zena logs --level error --follow")
    assert following.stdout is not None
    told = iter(following.stdout)
    try:
        assert any(walk.live.failed in line for line in told)
        failed = walk.live.fail_again()
        assert any(failed in line for line in told)
    finally:
        following.send_signal(signal.SIGINT)
        assert following.wait(10) == 0
        following.communicate()


@row("group errors by code")
def by_code(walk: Walk) -> None:
    said = walk("zena logs --by-code")
    groups = {one["code"]: one for one in said.data}
    lost = groups["accounts.mail_reset"]["count"]
    assert lost >= LOST
    assert groups["accounts.mail_notice"]["count"] >= 1
    failed = groups["SERVER_ERROR"]
    assert (failed["what"], failed["tenants"]) == (MISSING, [walk.live.tenant])
    assert failed["place"] == "zena.work.queries.talk:comment_page"
    assert "ERROR" not in groups, "a job that failed is told once"
    assert f"{lost}x  accounts.mail_reset" in said.text


@row("Log::error($exception->getMessage()), Handler.php")
def one_request(walk: Walk) -> None:
    said = walk("zena logs --request ID", ID=walk.live.failed)
    assert {one["request_id"] for one in said.data} == {walk.live.failed}
    assert {one["channel"] for one in said.data} == {"app", "performance"}
    assert "Traceback (most recent call last):" in said.text
    assert walk.live.token not in said.text


@row("LOG_CHANNEL=stack, LOG_LEVEL=debug")
def log_settings(walk: Walk) -> None:
    shown = {one["variable"]: one["value"] for one in walk.told("zena config show --json")}
    assert shown["ZENA_LOG_LEVEL"] == "info"
    assert {"app", "audit", "security", "performance", "jobs"} <= set(shown["ZENA_LOG_CHANNELS"].split(", "))
    wrong = walk.live.site.run_with({"ZENA_LOG_LEVEL": "loud"}, "config", "check")
    assert (wrong.code, "ZENA_LOG_LEVEL" in wrong.err) == (78, True)


@row("chmod -R 755 storage/logs")
def modes(walk: Walk) -> None:
    told = walk.told("zena status --json")
    assert [(one["dropped_lines"], one["log_trouble"]) for one in told["processes"]] == [(0, None)] * 4
    folder = walk.live.site.folder / "logs"
    assert told["logs"]["folder"] == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o640}


@row("php artisan slo:check")
def promises(walk: Walk) -> None:
    said = walk("zena slo check")
    found = {one["id"]: one for one in said.data["objectives"]}
    assert found["dashboard"]["target"] == 0.95
    assert found["dashboard"]["windows"]["30d"]["total"] >= LOOKS
    assert found["dashboard"]["state"] == "ok"
    assert found["errors"]["windows"]["30d"]["total"] > found["errors"]["windows"]["30d"]["good"]
    assert "too few bad events to tell, whatever is left: " in said.text
    assert said.text.splitlines()[1].startswith("dashboard ")
    assert walk.live.site.run("slo", "check", "delivery").code in {0, 3}


@row("set up alerts, track trends")
def alerts(walk: Walk) -> None:
    said = walk("zena slo export --format prometheus")
    rules = [rule for group in yaml.safe_load(said.text)["groups"] for rule in group["rules"]]
    assert sum("alert" in rule for rule in rules) >= 8
    assert said.data["content"].rstrip() == said.text.rstrip()


@row("what was deployed just before")
def changes(walk: Walk) -> None:
    said = walk("zena changes")
    assert {"deploy", "migration"} <= {one["kind"] for one in said.data}
    assert [one["at"] for one in said.data] == sorted((one["at"] for one in said.data), reverse=True)
    assert "release: - -> " in said.text
