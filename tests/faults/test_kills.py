"""F-01, F-02, F-03, F-05: every process is killed while clients write; nothing told is lost or doubled."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.factories.post import Post, post
from tests.faults.clients import APP, Client, Ground
from tests.faults.history import MAKERS, Entry, Final, as_json, complaints
from tests.faults.installation import PATIENCE, VICTIMS, Installation, found_firm, installed, operations, wait
from tests.kit.bed import until
from zena.work.checks import CHECKS

pytestmark = pytest.mark.proof

KILLS = 1_000 if os.environ.get("ZENA_FULL_SIZE") else 50
EACH = 10
CLIENTS = 4
SHARED = 4
#: Of a hundred kills, so many hit each; a new supervisor takes longest to come back.
WEIGHTS = (32, 22, 18, 16, 12)
#: Seconds within which writes are taken again, whoever was killed, on a machine that does nothing else.
BACK = 5.0
#: Share of the kills after which the next comes before everything is back.
HASTE = 0.2
JOB = "accounts.mail_invitation"
_MEASURED = "import time, zena.main; print(time.process_time())"


@dataclass(slots=True)
class Scene:
    """An installation with a firm, and what all rounds together saw."""

    site: Installation
    post: Post
    tokens: list[str]
    kills: Counter[str] = field(default_factory=Counter)
    outages: list[float] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    invited: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def site() -> Iterator[Installation]:
    with installed() as made:
        yield made


@pytest.fixture(scope="module")
async def scene(site: Installation) -> AsyncIterator[Scene]:
    async with post() as office:
        site.settings |= {"ZENA_SMTP_URL": f"smtp://127.0.0.1:{office.port}", "ZENA_MAIL_FROM": "zena@kill.test"}
        site.start()
        tokens = await found_firm(site, CLIENTS)
        made = Scene(site, office, tokens)
        yield made
        total, longest = sum(made.kills.values()), max(made.outages, default=0.0)
        print(f"{total} kills {dict(made.kills)}, operations {dict(made.results)}, longest outage {longest:.1f} s")
        assert await asyncio.to_thread(site.stop) == 0


@dataclass(slots=True)
class Killer:
    """Kills in a thread of its own, so that looking for a victim never slows the clients."""

    site: Installation
    dice: random.Random
    history: list[Entry]
    kills: Counter[str] = field(default_factory=Counter)
    #: Who was killed last, and for how long nobody's write was taken after that.
    outages: list[tuple[str, float]] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        victims = self.dice.choices(VICTIMS, WEIGHTS, k=EACH)
        for name, pause, haste in [(one, self.dice.uniform(0.1, 0.8), self.dice.random() < HASTE) for one in victims]:
            time.sleep(pause)
            self.site.kill(name, self.dice)
            self.kills[name] += 1
            self._let_it_come_back(name, time.monotonic(), haste=haste)
        self.site.wait_until_up()

    def _let_it_come_back(self, name: str, killed: float, *, haste: bool) -> None:
        if name == "supervisor":
            assert self.site.process is not None
            assert self.site.process.wait(PATIENCE) == -signal.SIGKILL
            self.site.start()
            self.site.wait_until_up()
        elif haste:
            return
        wait(lambda: self.given_up.is_set() or self._told_since(killed), lambda: f"no write since {name} was killed")
        self._judge(name, time.monotonic() - killed)

    def _judge(self, name: str, seconds: float) -> None:
        self.outages.append((name, seconds))
        if seconds > BACK and seconds > BACK * (slow := slowness()):
            self.too_long.append(f"{name} {seconds:.1f} s where all takes {slow:.1f} times as long")

    def _told_since(self, killed: float) -> bool:
        """Whether a write that began after the kill was acknowledged."""
        return any(one.start > killed and one.result == "ok" and one.op != "read" for one in self.history[-50:])


def slowness() -> float:
    """Return how much longer than alone a program takes here just now: starting one is what an outage consists of."""
    began = time.monotonic()
    told = subprocess.run([sys.executable, "-c", _MEASURED], check=True, capture_output=True, timeout=PATIENCE).stdout
    return max(1.0, (time.monotonic() - began) / float(told))


@pytest.mark.parametrize("number", range(KILLS // EACH))
async def test_what_was_told_is_there_once(scene: Scene, number: int, tmp_path: Path) -> None:
    dice = random.Random(number)  # noqa: S311 - whom to kill and when, the same in each run
    ground, killer = await play(scene, f"r{number}", dice)
    scene.kills += killer.kills
    scene.outages += [seconds for _, seconds in killer.outages]
    scene.results.update(entry.result for entry in ground.history if entry.op != "read")
    print(f"round {number}: {dict(killer.kills)}, outages {[f'{who} {long:.1f}' for who, long in killer.outages]}")
    (tmp_path / "history.jsonl").write_text(as_json(ground.history))
    ops = await operations(scene.site)
    try:
        await check_everything(scene, ops, ground)
    finally:
        await ops.close()
    assert killer.too_long == []


async def play(scene: Scene, label: str, dice: random.Random) -> tuple[Ground, Killer]:
    """Let clients write and the killer kill, until the killer is through and the clients have their last answers."""
    people = [httpx.AsyncClient(base_url=scene.site.url, timeout=15, headers=bearer(token)) for token in scene.tokens]
    stop = asyncio.Event()
    try:
        ground = await prepared(people[0], label)
        killer = Killer(scene.site, random.Random(dice.random()), ground.history)  # noqa: S311 - same
        clients = [
            Client(n, f"{label}-c{n}", http, ground, random.Random(dice.random()))  # noqa: S311 - same
            for n, http in enumerate(people)
        ]
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.run(stop))
            try:
                await asyncio.to_thread(killer.run)
            finally:
                stop.set()
                killer.given_up.set()
    finally:
        for http in people:
            await http.aclose()
    return ground, killer


async def prepared(http: httpx.AsyncClient, label: str) -> Ground:
    answer = await http.post(f"{APP}/projects", json={"name": label, "key": label.upper()})
    assert answer.status_code == 201, answer.text
    ground = Ground(answer.json()["id"])
    maker = Client(9, f"{label}-shared", http, ground, random.Random(label))  # noqa: S311 - same
    for _ in range(SHARED):
        await maker.create()
    ground.shared, maker.own = maker.own, []
    return ground


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def check_everything(scene: Scene, ops: Any, ground: Ground) -> None:
    tenant = await ops.fetchval("SELECT id FROM tenant")
    scene.invited |= {one.args["name"] for one in ground.history if one.op == "invite" and one.result == "ok"}
    await until(lambda: drained(ops), PATIENCE)
    found = complaints(ground.history, await final(ops, tenant, ground))
    assert found == []
    refusals = [one.args for one in ground.history if one.result == "fail" and one.op in MAKERS]
    assert refusals == []
    for one in CHECKS:
        assert await ops.fetch(one.sql, tenant) == [], one.name
    await check_jobs(scene, ops)
    await check_answers(scene, ops, tenant, ground)


async def final(ops: Any, tenant: UUID, ground: Ground) -> Final:
    project, label = ground.project, ground.history[0].args["name"].partition("-")[0]
    tasks = await ops.fetch("SELECT id, name, version FROM task WHERE project_id = $1", UUID(project))
    said = "SELECT body AS name FROM comment WHERE task_id IN (SELECT id FROM task WHERE project_id = $1)"
    comments = await ops.fetch(said, UUID(project))
    letters = await ops.fetch("SELECT email AS name FROM invitation WHERE email LIKE $1", f"{label}-%")
    here = {row["id"] for row in tasks}
    events = await ops.fetch("SELECT position, type, subject_id FROM event WHERE tenant_id = $1", tenant)
    return Final(
        made=Counter(row["name"] for row in (*tasks, *comments, *letters)),
        versions={str(row["id"]): row["version"] for row in tasks},
        events=[
            (row["position"], row["type"] if row["subject_id"] in here else "", str(row["subject_id"]))
            for row in events
        ],
        head=await ops.fetchval("SELECT position FROM tenant_head WHERE tenant_id = $1", tenant),
    )


HELD = """
SELECT job.entrypoint, log.status, log.created, log.traceback ->> 'exception_type' AS what,
       log.traceback ->> 'exception_message' AS says, right(log.traceback ->> 'traceback', 1500) AS stack
  FROM queue.pgqueuer AS job
  JOIN queue.pgqueuer_log AS log ON log.job_id = job.id WHERE job.status = 'failed' ORDER BY log.id
"""


async def drained(ops: Any) -> bool:
    """No job of ours waits or runs: those of killed workers have been taken again."""
    return not await ops.fetchval("SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = $1", JOB)


async def check_jobs(scene: Scene, ops: Any) -> None:
    """Each invitation has had one job, which ended well once; each person has a letter."""
    invitations = await ops.fetchval("SELECT count(*) FROM invitation")
    ended = "SELECT job_id, count(*) FROM queue.pgqueuer_log WHERE entrypoint = $1 AND status = 'successful' GROUP BY 1"
    runs = await ops.fetch(ended, JOB)
    assert (len(runs), {row["count"] for row in runs} <= {1}) == (invitations, True)
    held = [dict(row) for row in await ops.fetch(HELD)]
    assert held == [], "\n".join(map(str, held))
    assert scene.invited <= set(scene.post.receivers)


async def check_answers(scene: Scene, ops: Any, tenant: UUID, ground: Ground) -> None:
    """What the API says of it all is what the rows say."""
    async with httpx.AsyncClient(base_url=scene.site.url, timeout=30, headers=bearer(scene.tokens[0])) as http:
        verdict = (await http.get(f"{APP}/audit/verification")).json()
        assert verdict["intact"], verdict
        told = (await http.get(f"{APP}/dashboard/tasks")).json()
        listed = (await http.get(f"{APP}/projects/{ground.project}/tasks?count=1&limit=1")).json()
    rows = await ops.fetch("SELECT status, count(*) FROM task WHERE tenant_id = $1 GROUP BY 1", tenant)
    counted = {row["status"]: row["count"] for row in rows}
    assert {name: count for name, count in told["data"]["by_status"].items() if count} == counted
    there = "SELECT count(*) FROM task WHERE project_id = $1"
    assert listed["page"]["total"] == await ops.fetchval(there, UUID(ground.project))
