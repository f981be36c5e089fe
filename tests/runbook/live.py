"""The installation that is walked: several processes, a Redis, people at work, and a few things that go wrong in it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from tests.cli.run import zena
from tests.factories.post import Post, post_beside
from tests.faults.installation import free_port
from tests.kit.pg import ask, open_folder
from tests.kit.redis_server import RedisServer
from tests.operate.site import Site, until
from zena.kit.embedded import ClusterUrls, urls_of_running

OWNER = "an.nguyen@meridian.example"
LOCKED = "khoa.bui@meridian.example"
WITHOUT_MAIL = "trang.do@meridian.example"
FIRM = "meridian-works"
PASSWORD = "gantry-mortar-17"
APP = "/api/v1/app"
#: How often the owner opens the dashboard before anything is asked. Nobody does so again.
LOOKS = 30
#: Letters with a link for a new password that did not arrive.
LOST = 3
#: A wait of seconds is over before a slow machine has asked about it.
LONG_WAIT = "UPDATE throttle SET blocked_until = now() + interval '1 hour' WHERE blocked_until > now() RETURNING count"
SCOPES = (
    "comments.create",
    "tasks.view",
    "tasks.update",
    "tasks.create",
    "projects.view",
    "audit.view",
    "reports.view",
)


@dataclass
class Live:
    """What was done to it, so that rows know what commands have to say. Ids are texts."""

    site: Site
    redis: RedisServer
    post: Post
    http: httpx.Client
    token: str = ""
    tenant: str = ""
    slow: str = ""
    failed: str = ""
    tenant_away: str = ""
    lost: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.site.url

    @property
    def urls(self) -> ClusterUrls:
        found = urls_of_running(self.site.folder)
        assert found is not None
        return found

    def ops(self, *statements: str) -> Any:
        return ask(self.urls.ops, *statements)

    def as_owner(self, statement: str) -> None:
        ask(self.urls.owner, statement, "SELECT 1")

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask as the owner's program."""
        headers = {"authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, timeout=30, **options)

    def task(self) -> dict[str, Any]:
        """Return the first task of the firm as it is now."""
        found: dict[str, Any] = self.api("GET", f"{APP}/tasks?limit=1").json()["data"][0]
        return found

    def fail_again(self) -> str:
        """Ask for what a half-done migration has renamed, and return the id of the request."""
        self.as_owner("ALTER TABLE comment RENAME COLUMN body TO text")
        try:
            failed = self.api("GET", f"{APP}/tasks/{self.task()['id']}/comments")
        finally:
            self.as_owner("ALTER TABLE comment RENAME COLUMN text TO body")
        assert failed.status_code == 500, failed.text
        return failed.headers["x-request-id"]

    def hold(self, statement: str, over: threading.Event) -> None:
        """Keep a transaction open in which a statement was run, as somebody at a prompt who went to lunch."""

        async def keep() -> None:
            conn = await asyncpg.connect(self.urls.ops)
            async with conn.transaction():
                await conn.execute(statement)
                await asyncio.to_thread(over.wait)
            await conn.close()

        asyncio.run(keep())

    @contextmanager
    def redis_again(self) -> Iterator[None]:
        """Start the Redis that was killed, for good."""
        self.redis.__enter__()
        yield

    def orphan(self) -> None:
        """Leave a label on a task that is not there, as a bad disk or a bad hand would."""
        lost = (
            "INSERT INTO task_label (tenant_id, task_id, label_id)"
            " SELECT tenant_id, gen_random_uuid(), id FROM label ORDER BY id LIMIT 1"
        )
        ask(self.urls.superuser, "SET session_replication_role = replica", lost, "SELECT 1")

    def held(self) -> list[int]:
        """Return the numbers of held jobs."""
        found = self.ops("SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM queue.pgqueuer WHERE status = 'failed'")
        return list(found)


@contextmanager
def living() -> Iterator[Live]:
    with open_folder("zw-") as folder, post_beside() as post:
        post.refuses = 550  # until it is mended
        redis = RedisServer(folder)
        with redis as redis_url:
            settings: dict[str, object] = {
                "ZENA_WEB_PROCESSES": 2,
                "ZENA_WEBSOCKET_PROCESSES": 1, "ZENA_WEBSOCKET_PORT": free_port(),
                "ZENA_AUTOMATIC": "none",  # a row breaks a fence, and asks about it before anybody has shut the table
                "ZENA_REDIS_URL": redis_url, "ZENA_SMTP_URL": post.url, "ZENA_MAIL_FROM": "zena@firm.test",
                **dict.fromkeys(("ZENA_RATE_ANONYMOUS", "ZENA_RATE_USER", "ZENA_RATE_TENANT"), 1_000_000),
            }  # fmt: skip
            site = Site(folder, settings)
            with site.serving("--demo"), httpx.Client(base_url=site.url, timeout=30) as http:
                made = Live(site, redis, post, http)
                http.headers["origin"] = site.url
                for step in (enter, found_second_firm, work, be_slow, fail, lose_a_letter, forget_a_password):
                    step(made)
                until(lambda: measured(made))
                yield made


def enter(live: Live) -> None:
    """Sign in by the link of the first start, and make a token."""
    entered = live.http.post(live.site.said[1].split()[-1])
    # A cookie that is for https alone, which a browser sends to localhost and httpx does not.
    live.http.headers["cookie"] = entered.headers["set-cookie"].partition(";")[0]
    live.tenant = live.http.get("/api/v1/me").json()["tenant"]
    wish = {"name": "walk", "scopes": SCOPES, "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    made = live.http.post(f"{APP}/tokens", json=wish)
    assert made.status_code == 201, made.text
    live.token = made.json()["secret"]


def found_second_firm(live: Live) -> None:
    assert live.site.run("user", "create", "zoe@other.example", "--name", "Zoe").code == 0
    ran = live.site.run("tenant", "create", "Other Ltd", "--owner", "zoe@other.example", "--slug", "other")
    assert ran.code == 0, ran.err
    live.tenant_away = live.ops("SELECT id::text FROM tenant WHERE slug = 'other'")


def work(live: Live) -> None:
    for _ in range(LOOKS):
        assert live.http.get("/dashboard").status_code == 200


def be_slow(live: Live) -> None:
    """Change a task that somebody else holds locked for most of a second."""
    task = live.task()
    held = f"SELECT 1 FROM task WHERE id = '{task['id']}' FOR UPDATE"  # noqa: S608 - ours
    holder = threading.Thread(target=lambda: live.ops("BEGIN", held, "SELECT pg_sleep(0.9)", "COMMIT", "SELECT 1"))
    holder.start()
    until(lambda: live.ops("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.9)%'") > 1)
    wish = {"name": task["name"] + " (again)"}
    slow = live.api("PATCH", f"{APP}/tasks/{task['id']}", json=wish, headers={"if-match": f'"{task["version"]}"'})
    holder.join()
    assert slow.status_code == 200, slow.text
    live.slow = slow.headers["x-request-id"]


def fail(live: Live) -> None:
    live.failed = live.fail_again()


def lose_a_letter(live: Live) -> None:
    """Three people ask for a new password, and the mail server will have none of it."""
    for _ in range(LOST):
        assert live.http.post("/api/v1/auth/password/reset-request", json={"email": WITHOUT_MAIL}).is_success
    until(lambda: len(live.held()) == LOST)
    live.lost = live.held()


def forget_a_password(live: Live) -> None:
    ran = zena("user", "reset-link", LOCKED, module="zena", **live.site.values)
    chosen = httpx.post(ran.out.strip(), data={"password": PASSWORD}, headers={"origin": live.url})
    assert chosen.status_code == 303, ran
    until(lambda: wrong_password(live) and live.ops(LONG_WAIT))


def wrong_password(live: Live) -> bool:
    """Try to sign in; tell whether one has to wait by now."""
    sign_in = {"email": LOCKED, "password": "wrong-" + PASSWORD}
    status = httpx.post(f"{live.url}/api/v1/auth/login", json=sign_in, timeout=30).status_code
    assert status in {401, 429}
    return status == 429


def measured(live: Live) -> bool:
    """Tell whether what happened so far has been written down by every process."""
    kept = f"SELECT count(*) FROM ops.request WHERE request_id IN ('{live.slow}', '{live.failed}')"  # noqa: S608 - ours
    found = httpx.get(f"{live.url}/api/v1/metrics", timeout=30).json()
    looks = [one["count"] for one in found["http"]["routes"] if one["route"] == "GET /dashboard"]
    return live.ops(kept) == 2 and looks == [LOOKS]
