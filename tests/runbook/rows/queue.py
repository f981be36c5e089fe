"""Jobs wait or fail."""

import signal

from tests.operate.site import until
from tests.runbook.live import LOCKED, LOST, WITHOUT_MAIL
from tests.runbook.walk import Walk, row

RESET, NOTICE = "accounts.mail_reset", "accounts.mail_notice"


@row("php artisan queue:work --queue=default to see what waits")
def status(walk: Walk) -> None:
    said = walk("zena queue status", code=1)
    kinds = {one["kind"]: one for one in said.data["kinds"]}
    assert (kinds[RESET]["held"], kinds[RESET]["failures"] >= LOST, kinds[NOTICE]["held"] >= 1) == (LOST, True, True)
    assert said.data["workers"]["alive"] == 1
    assert f"! {LOST} of {RESET} are held: `zena queue failed --kind {RESET}`" in said.text


@row("php artisan queue:failed")
def failed(walk: Walk) -> None:
    said = walk("zena queue failed")
    assert sorted(one["id"] for one in said.data) == walk.live.held()
    assert {one["fingerprint"] for one in said.data} == {said.data[0]["fingerprint"]}
    assert {one["message"] for one in said.data} == {"recipient refused (550)"}
    held = len(walk.live.held())
    assert said.text.startswith(f"{held} held: {held} [{said.data[0]['fingerprint']}]")


@row("failed_jobs.payload")
def payload(walk: Walk) -> None:
    job = walk.live.lost[0]
    said = walk("zena queue show JOB", JOB=job)
    person = walk.live.ops(f"SELECT id::text FROM user_account WHERE email = '{WITHOUT_MAIL}'")  # noqa: S608 - ours
    assert (said.data["entrypoint"], said.data["arguments"]["user_id"]) == (RESET, person)
    assert "RejectJob: recipient refused (550)" in said.text
    why = walk("zena why job JOB", code=1, JOB=job)
    assert why.data["broken"] == "not held"
    assert f"zena queue retry {job}" in why.text


@row('tail -f storage/logs/laravel.log | grep "failed"')
def job_log(walk: Walk) -> None:
    said = walk("zena logs --channel jobs --level error")
    assert set(walk.live.lost) < {one["job"] for one in said.data}
    assert {one["event"] for one in said.data} == {"job held"}
    assert "SMTPRecipientsRefused" in said.text


@row("ps aux | grep queue:work")
def workers(walk: Walk) -> None:
    said = walk("zena queue workers")
    [one] = said.data
    assert (one["pid"], one["state"]) == (walk.live.site.crew()["worker-1"], "alive")
    assert str(one["pid"]) in said.text


@row("php artisan queue:retry {job_id}")
def retry_one(walk: Walk) -> None:
    job = walk.live.lost[-1]
    again = walk.once("zena queue retry JOB", code=1, JOB=job)
    assert "failed again" in again.text
    assert job in walk.live.held(), "nothing is lost"
    walk.live.post.refuses = 0
    done = walk.once("zena queue retry JOB", as_json=True, JOB=job)
    assert [(group["done"], group["failed"]) for group in done.data] == [(1, 0)]
    assert walk.live.post.receivers == [WITHOUT_MAIL]
    assert job not in walk.live.held()


@row("php artisan queue:retry all")
def retry_all(walk: Walk) -> None:
    walk.live.post.refuses = 0
    held = len(walk.live.held())
    assert held >= 3
    said = walk.once("zena queue retry all", as_json=True)
    assert sum(group["done"] for group in said.data) == held
    assert walk.live.held() == []
    assert {LOCKED, WITHOUT_MAIL} <= set(walk.live.post.receivers)
    assert walk.live.site.run("queue", "status").code == 0


@row("php artisan queue:work --workers=4")
def more_workers(walk: Walk) -> None:
    started = walk.begin("zena queue work --workers 4")
    try:
        until(lambda: _alive(walk) == 5, 60)
    finally:
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 0
        started.communicate()
    until(lambda: _alive(walk) == 1)


def _alive(walk: Walk) -> int:
    return int(
        walk.live.ops(
            "SELECT count(*) FROM ops.heartbeat WHERE role = 'worker' AND NOT facts ? 'ended'"
            " AND seen_at > now() - interval '35 seconds'"
        )
    )


@row("php artisan queue:restart")
def restart(walk: Walk) -> None:
    before = walk.live.site.crew()
    said = walk.once("zena queue restart", as_json=True)
    assert (said.data["still_there"], said.data["new"]) == (0, 1)
    until(lambda: walk.live.site.crew()["worker-1"] != before["worker-1"])
    assert walk.live.site.crew()["web-1"] == before["web-1"]
