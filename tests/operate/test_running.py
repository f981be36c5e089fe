"""The installation as a whole: `zena restart`, `down` over a crash, and what its starts leave in the record."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.kit.pg import alive, ask, open_folder
from tests.operate.site import LIVE, Crowd, Site, until
from zena.kit.embedded import urls_of_running
from zena.kit.exits import Exit

pytestmark = pytest.mark.proof  # real processes and servers, many times over

SECRET = {"ZENA_SMTP_URL": "smtp://mailer:canary-4711-canary@mail.test:587", "ZENA_MAIL_FROM": "zena@firm.test"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A site that was started once. The tests below go on with it in turn: a start takes long."""
    with open_folder() as folder:
        made = Site(folder)
        with made.serving():
            yield made


def test_a_restart_refuses_nobody(site: Site) -> None:
    until(lambda: len(site.crew()) == 2)
    before = site.crew()
    with Crowd(site.url) as crowd:
        done = site.run("restart", "web", "--json")
        assert done.code == 0, done.err
        served = crowd.served
        until(lambda: crowd.served > served + 20)  # by the new one
    assert crowd.wrong == []
    after = site.crew()
    told = [{"name": "web-1", "before": before["web-1"], "after": after["web-1"]}]
    assert json.loads(done.out)["processes"] == told
    assert after["web-1"] != before["web-1"]
    assert not alive(before["web-1"])
    assert after["worker-1"] == before["worker-1"]
    assert site.run("restart", "worker").code == 0
    assert site.crew()["worker-1"] != after["worker-1"]
    assert site.crew()["web-1"] == after["web-1"]
    assert site.run("restart", "websocket").code == Exit.USAGE


def test_a_successor_that_does_not_start_leaves_the_old_one_where_it_is(site: Site) -> None:
    urls, before = urls_of_running(site.folder), site.crew()
    assert urls is not None
    owner = urls.owner
    revision = ask(owner, "SELECT version_num FROM alembic_version")
    ask(owner, "UPDATE alembic_version SET version_num = '0000'", "SELECT 1")
    failed = site.run("restart", "web")
    assert (failed.code, "the old one stays" in failed.err) == (Exit.UNAVAILABLE, True)
    assert site.crew() == before
    assert site.status(LIVE) == 200
    ask(owner, f"UPDATE alembic_version SET version_num = '{revision}'", "SELECT 1")  # noqa: S608 - ours
    again = site.run("restart", "web")
    assert again.code == 0, site.heard


def test_closed_stays_closed_over_a_crash_and_what_changed_meanwhile_is_recorded(site: Site) -> None:
    assert site.status("/") == 303
    assert site.run("down", "--message", "Moving house.").code == 0
    assert (site.status("/"), site.status(LIVE)) == (503, 200)
    kept = json.loads(site.run("changes", "--json").out)
    assert [one["kind"] for one in kept] == ["maintenance", "deploy", "migration"]
    os.kill(site.pid, signal.SIGKILL)
    with site.serving(ZENA_RATE_USER=700, **SECRET):
        assert site.said[1].startswith("Zena is closed to everybody but operators since"), site.heard
        assert site.status("/") == 503
        made = site.run("user", "create", "minh@firm.test", "--name", "Minh")
        assert (made.code, made.err.count("\n")) == (Exit.RETRY, 1)
        again = site.run("down", "--message", "Moving  house.")
        assert (again.code, "nothing to do" in again.out) == (0, True)
        assert site.run("up").code == 0
        assert site.status("/") == 303
        assert "nothing to do" in site.run("up").out
        check_settings_recorded(site)
    assert site.run("down", "--message", "x" * 301).code == Exit.USAGE
    assert site.run("down").code == Exit.UNAVAILABLE
    gone = site.run("restart", "web")
    assert (gone.code, "no `zena serve` runs in" in gone.err) == (Exit.UNAVAILABLE, True)


def check_settings_recorded(site: Site) -> None:
    ran = site.run("changes", "--kind", "setting", "--json")
    assert "canary" not in ran.out
    (found,) = json.loads(ran.out)
    assert (found["before"]["ZENA_RATE_USER"], found["after"]["ZENA_RATE_USER"]) == ("600", "700")
    assert found["after"]["ZENA_SMTP_URL"].endswith("@mail.test:587")
    assert "ZENA_RATE_USER: 600 -> 700" in site.run("changes", "--hours", "1").out
    assert site.run("changes", "--kind", "mood").code == Exit.USAGE
