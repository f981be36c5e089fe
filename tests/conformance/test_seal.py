"""One unit of work per request: what is answered is what was stored, or nothing was (A04)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import asyncpg
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.conformance.cancelling import Cancelled
from tests.conformance.crawl import form_headers
from tests.conformance.rows import fingerprint
from tests.conformance.scene import APP, Scene, furnished
from tests.factories.recorder import recording
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import Invalid
from zena.kit.state import State
from zena.kit.templates import Renderer
from zena.work.actions.tasks import create_task
from zena.work.checks import CHECKS

Send = Callable[[], Awaitable[httpx.Response]]
SAME_RANK = text(
    "UPDATE task SET rank = (SELECT rank FROM task WHERE tenant_id = :tenant AND id <> :id AND project_id = :project"
    " LIMIT 1) WHERE tenant_id = :tenant AND id = :id"
)


@pytest.fixture(scope="module")
async def scene(state: State, http: httpx.AsyncClient) -> Scene:
    return await furnished(state, http)


def by_json(scene: Scene, **headers: str) -> Awaitable[httpx.Response]:
    url = f"{APP}/projects/{scene.ids['project_id']}/tasks"
    return scene.by("pm").post(url, json={"name": "Dig"}, headers=headers)


def by_form(scene: Scene, **headers: str) -> Awaitable[httpx.Response]:
    speaker = scene.by("pm")
    url = f"/projects/{scene.ids['project_key']}/tasks"
    return speaker.post(url, data={"name": "Dig"}, headers=form_headers(speaker) | headers)


WAYS = [pytest.param(by_json, "zena.work.api.tasks.create_task", id="json")]
WAYS.append(pytest.param(by_form, "zena.work.web.board.create_task", id="form"))


@pytest.mark.parametrize(("send", "action"), WAYS)
async def test_a_commit_that_fails_is_an_error_and_nothing_is_stored(
    scene: Scene, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch, send: Any, action: str
) -> None:
    """The constraint speaks at the commit, after the answer was drawn: neither 201 nor 303 leaves the house."""

    async def doomed(session: AsyncSession, scope: Any, **fields: Any) -> Any:
        made = await create_task(session, scope, **fields)
        await session.flush()
        await session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        row = {"tenant": scope.tenant, "id": made.task.id, "project": made.task.project_id}
        await session.execute(SAME_RANK, row)
        return made

    monkeypatch.setattr(action, doomed)
    before = await fingerprint(urls, scene.firm)
    with recording() as sent:
        answer = await send(scene)
    assert [one.short[:11] for one in sent.statements[-2:]] == ["SELECT seal", "COMMIT;"], sent.listing()
    assert answer.status_code == 409
    assert "location" not in answer.headers
    assert "uq_task" not in answer.text
    assert await fingerprint(urls, scene.firm) == before


@pytest.mark.parametrize(("send", "action"), WAYS)
async def test_a_refusal_after_the_writing_takes_it_back(
    scene: Scene, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch, send: Any, action: str
) -> None:
    async def refused(session: AsyncSession, scope: Any, **fields: Any) -> NoReturn:
        await create_task(session, scope, **fields)
        raise Invalid.field("name", "Not this one.")

    monkeypatch.setattr(action, refused)
    before = await fingerprint(urls, scene.firm)
    answer = await send(scene)
    assert answer.status_code == 422
    assert "Not this one." in answer.text
    if send is by_form:
        assert 'value="Dig"' in answer.text  # what was typed stays
    assert await fingerprint(urls, scene.firm) == before


async def test_a_page_that_cannot_be_drawn_stores_nothing(
    scene: Scene, urls: ClusterUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Renderer.render

    def torn(self: Renderer, template: str, *rest: Any, **context: Any) -> str:
        if template == "tasks/panel.html":
            raise RuntimeError("no ink")
        return draw(self, template, *rest, **context)

    monkeypatch.setattr(Renderer, "render", torn)
    before = await fingerprint(urls, scene.firm)
    speaker = scene.by("pm")
    headers = form_headers(speaker) | {"hx-request": "true"}
    answer = await speaker.post(f"/tasks/{scene.ids['task_id']}/fields", data={"name": "Other"}, headers=headers)
    assert answer.status_code == 500
    assert await fingerprint(urls, scene.firm) == before


@pytest.mark.parametrize("send", [by_json, by_form])
async def test_A04_a_request_cancelled_at_any_await_leaves_all_or_nothing(
    scene: Scene, urls: ClusterUrls, state: State, send: Any
) -> None:
    """Cancelled at its 1st, 2nd, 3rd ... wait: the task is there with event, audit and counters, or not at all.

    How often a request waits once its commit was sent differs by one or two with the machine's mood, so each is asked
    whether it had sent that: before, nothing may be stored; afterwards, either.
    """
    at, ended, undecided = 0, False, 0
    while not ended:
        at += 1
        before = await _standing(urls, scene)
        work = Cancelled(_sent(send(scene)), at)
        with contextlib.suppress(asyncio.CancelledError), recording() as sent:
            await asyncio.create_task(_whole(work))
        ended = work.waits < at
        after = await _standing(urls, scene)
        assert after == before or after == {name: count + 1 for name, count in before.items()}, at
        committing = any(one.text.startswith("COMMIT") for one in sent.statements)
        assert committing or after == before, f"stored at {at} without a commit"
        undecided += not committing
    assert after != before, "the last one was not cancelled"
    assert undecided >= 10
    await _adds_up(state, scene)


async def test_A04_a_retry_with_its_key_after_any_cancellation_gives_one(scene: Scene, urls: ClusterUrls) -> None:
    at, ended = 0, False
    while not ended:
        at += 1
        before = await _standing(urls, scene)
        key = {"idempotency-key": f"once-{at}"}
        work = Cancelled(_sent(by_json(scene, **key)), at)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.create_task(_whole(work))
        ended = work.waits < at
        answer = await by_json(scene, **key)
        assert answer.status_code == 201, answer.text
        assert await _standing(urls, scene) == {name: count + 1 for name, count in before.items()}, at


async def test_the_seal_is_the_last_statement_before_the_commit(scene: Scene) -> None:
    task = f"{APP}/tasks/{scene.ids['task_id']}"
    for method, url, body in (
        ("POST", f"{APP}/projects/{scene.ids['project_id']}/tasks", {"name": "Dig"}),
        ("PATCH", task, {"name": "Pour"}),
        ("POST", f"{task}/comments", {"body": "Well"}),
        ("POST", f"{APP}/labels", {"name": "Wet", "hue": 1}),
        ("PATCH", f"{APP}/settings", {"name": "Other"}),
        ("POST", f"{APP}/projects/{scene.ids['project_id']}/status", {"status": "active"}),
    ):
        headers = {"if-match": "*"} | ({"idempotency-key": f"seal-{url}"} if method == "POST" else {})
        with recording() as sent:
            await scene.tell(method, url, body, by="owner", headers=headers)
        texts = [one.short for one in sent.statements]
        assert texts[-1].startswith("COMMIT"), f"{method} {url}\n{sent.listing()}"
        assert texts[-2].startswith("SELECT seal("), f"{method} {url}\n{sent.listing()}"
        assert sum("seal(" in one for one in texts) == 1


async def _sent(request: Awaitable[httpx.Response]) -> httpx.Response:
    return await request


async def _whole(work: Cancelled[httpx.Response]) -> httpx.Response:
    return await work


async def _standing(urls: ClusterUrls, scene: Scene) -> dict[str, int]:
    """Return the counts that one new task moves by one, each."""
    ops = await asyncpg.connect(urls.ops)
    try:
        row = await ops.fetchrow(
            "SELECT (SELECT count(*) FROM task WHERE tenant_id = $1 AND project_id = $2) AS tasks,"
            " (SELECT count(*) FROM event WHERE tenant_id = $1) AS events,"
            " (SELECT count(*) FROM audit_entry WHERE tenant_id = $1) AS audits,"
            " (SELECT position FROM tenant_head WHERE tenant_id = $1) AS position,"
            " (SELECT last_number FROM project_counter WHERE tenant_id = $1 AND project_id = $2) AS number,"
            " (SELECT backlog FROM project_stats WHERE tenant_id = $1 AND project_id = $2) AS backlog",
            scene.firm.tenant,
            await ops.fetchval("SELECT $1::text::uuid", scene.ids["project_id"]),
        )
        return dict(row)
    finally:
        await ops.close()


async def _adds_up(state: State, scene: Scene) -> None:
    async with state.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT set_config('app.tenant', $1, true)", str(scene.firm.tenant))
        for check in CHECKS:
            assert await conn.fetch(check.sql, scene.firm.tenant) == [], check.name
