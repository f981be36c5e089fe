"""`zena config reload` while people ask: checked before anything is touched, and taken back if it does not work."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.kit.pg import alive, open_folder
from tests.operate.site import LIVE, Crowd, Site, until
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.operate.reloading import environment_of

pytestmark = pytest.mark.proof  # real processes and servers, many times over


class Served(Site):
    """A site with a file of settings."""

    def write(self, *lines: str) -> None:
        file = self.folder / "zena.env"
        file.write_text("".join(f"{line}\n" for line in ("ZENA_ENV=test", *lines)))
        file.chmod(0o600)

    def limit(self) -> str:
        """What the web process has been given of ZENA_RATE_ANONYMOUS."""
        return environment_of(self.crew()["web-1"])["ZENA_RATE_ANONYMOUS"]


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    """A site that was started once. The tests below go on with it in turn: a start takes long."""
    with open_folder() as folder:
        made = Served(folder)
        made.write("ZENA_RATE_ANONYMOUS=1001")
        with made.serving():
            until(lambda: len(made.crew()) == 2)
            yield made


def test_a_changed_file_is_taken_up_and_nobody_is_refused(site: Served) -> None:
    before = site.crew()
    site.write("ZENA_RATE_ANONYMOUS=1002", "# a comment", 'ZENA_MAIL_FROM="zena@firm.test"')
    dry = json.loads(site.run("config", "reload", "--dry-run", "--json").out)
    changed = [
        {"variable": "ZENA_MAIL_FROM", "before": "", "after": "zena@firm.test"},
        {"variable": "ZENA_RATE_ANONYMOUS", "before": "1001", "after": "1002"},
    ]
    assert (dry["changed"], dry["processes"], site.crew()) == (changed, [], before)
    assert site.limit() == "1001"
    with Crowd(site.url) as crowd:
        done = site.run("config", "reload", "--json")
        assert done.code == 0, done.err
        served = crowd.served
        until(lambda: crowd.served > served + 20)  # by the new ones
    assert crowd.wrong == []
    told = json.loads(done.out)
    assert [row["name"] for row in told["processes"]] == ["web-1", "worker-1"]
    assert {row["name"]: row["after"] for row in told["processes"]} == site.crew()
    assert not set(site.crew().values()) & set(before.values())
    assert (told["changed"], site.limit()) == (changed, "1002")
    until(lambda: "ZENA_RATE_ANONYMOUS: 1001 -> 1002" in site.run("changes", "--kind", "setting").out)
    assert "no setting differs" in site.run("config", "reload", "--dry-run").out


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("ZENA_RATE_ANONYMOUS=many",), "ZENA_RATE_ANONYMOUS: found many"),
        (("ZENA_RATE_ANONYMUS=5",), "ZENA_RATE_ANONYMOUS, perhaps"),
        (("rubbish",), "line 2"),
        (("ZENA_WEB_PROCESSES=2", "ZENA_RATE_ANONYMOUS=5"), "ZENA_WEB_PROCESSES: decided when `zena serve` starts"),
        (("ZENA_DATABASE_URL=postgresql:///zena",), "ZENA_DATABASE_URL: decided when `zena serve` starts"),
    ],
)
def test_what_is_wrong_or_cannot_be_is_refused_and_touches_nothing(
    site: Served, lines: tuple[str, ...], says: str
) -> None:
    before, limit = site.crew(), site.limit()
    site.write(*lines)
    ran = site.run("config", "reload")
    assert (ran.code, says in ran.err, site.crew()) == (Exit.CONFIG, True, before)
    assert site.limit() == limit


def test_a_process_that_dies_comes_back_with_the_settings_in_force_not_with_a_file_half_edited(site: Served) -> None:
    limit, before = site.limit(), site.crew()["web-1"]
    site.write("ZENA_RATE_ANONYMOUS=5", "half a li")
    os.kill(before, signal.SIGKILL)
    until(lambda: site.crew().get("web-1") not in {None, before} and site.status(LIVE) == httpx.codes.OK)
    assert site.limit() == limit
    assert site.run("restart", "web").code == Exit.OK
    assert site.limit() == limit


def test_two_at_once_are_told_apart(site: Served) -> None:
    site.write("ZENA_RATE_ANONYMOUS=1003")
    with Crowd(site.url) as crowd:
        first = site.begin("config", "reload")
        until(lambda: (site.folder / "serve.wish").exists() or "running" in (site.folder / "serve.json").read_text())
        second = site.run("config", "reload")
        assert first.wait(120) == 0
    assert (second.code, crowd.wrong) == (Exit.RETRY, [])
    assert site.limit() == "1003"


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    ran = Site(tmp_path).run("config", "reload")
    assert (ran.code, "no `zena serve` runs in" in ran.err) == (Exit.UNAVAILABLE, True)


async def test_new_ones_that_do_not_start_leave_everything_as_it_was(urls: ClusterUrls) -> None:
    with open_folder() as folder:
        site = Served(folder, lines=1)  # a database that other tests may have put people into
        held = [
            f"ZENA_DATABASE_{name}URL={url}"
            for name, url in (("OWNER_", urls.owner), ("OPS_", urls.ops), ("OPS_READ_", urls.ops_read))
        ]
        site.write(f"ZENA_DATABASE_URL={urls.app}", *held)
        with site.serving():
            until(lambda: len(site.crew()) == 2)
            before, web = site.crew(), environment_of(site.crew()["web-1"])
            # What the file holds reaches only those who may hold it, and they do not read it themselves.
            assert {"ZENA_DATABASE_URL", "ZENA_DATABASE_OPS_READ_URL"} <= set(web)
            assert not {"ZENA_DATABASE_OWNER_URL", "ZENA_DATABASE_OPS_URL"} & set(web)
            assert web["ZENA_CONFIG_FILE"] == ""
            name = urls.app.partition("://")[2].partition(":")[0]
            site.write(f"ZENA_DATABASE_URL={urls.app.replace(name + ':', name + ':not-the-', 1)}", *held)
            ran = site.run("config", "reload")
            assert (ran.code, "the new web-1 did not start" in ran.err) == (Exit.UNAVAILABLE, True)
            assert (site.crew(), site.status(LIVE)) == (before, httpx.codes.OK)
            os.kill(before["worker-1"], signal.SIGKILL)
            until(lambda: site.crew().get("worker-1") not in {None, before["worker-1"]})
            assert environment_of(site.crew()["worker-1"])["ZENA_DATABASE_URL"] == urls.app
            assert alive(before["web-1"])
        assert list(folder.glob("*.wish")) == []
