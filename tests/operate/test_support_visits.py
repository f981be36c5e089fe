"""A15: an operator enters a firm with a reason and a limit, reads only, and the firm sees it all and can end it."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.accounts.browser import as_ops, job_of
from tests.conformance.crawl import SAFE, Route, form_headers, routes
from tests.factories import Firm
from tests.factories.firms import As
from tests.matrix.world import Furnished, furnish
from tests.operate.visiting import (
    REASON,
    ask,
    enter,
    leave,
    looked,
    operator_of,
    owner,
    renew,
    send,
    told,
    visit_row,
)
from zena.accounts.entry import provide_reader, provide_session
from zena.accounts.facade import verify_chain
from zena.accounts.jobs import end_visits, mail_visit
from zena.accounts.permissions import Role
from zena.accounts.visiting import VISITOR_ROUTES
from zena.kit.access import Door, in_tenant
from zena.kit.ids import new_id
from zena.kit.mail import NullMailer
from zena.kit.state import State
from zena.kit.uow import Reader, tenant_work
from zena.main import routes_of

VISIBLE = "You look at"


@pytest.fixture(scope="module")
async def world(state: State) -> Furnished:
    """A furnished firm, and another one."""
    return await furnish(state)


@pytest.fixture
async def visited(world: Furnished) -> Firm:
    return world.firm


@pytest.fixture
async def operator(state: State, firm: Firm, http: httpx.AsyncClient) -> As:
    return await operator_of(state, firm, http)


@pytest.fixture
async def visit(state: State, operator: As, visited: Firm) -> str:
    return await enter(state, operator, visited)


async def test_a_visit_shows_the_firm_says_so_on_every_page_and_ends_where_it_began(
    state: State, operator: As, firm: Firm, visited: Firm
) -> None:
    before = (await operator.get("/projects")).text
    assert VISIBLE not in before
    visit = await enter(state, operator, visited)
    page = (await operator.get("/projects")).text
    assert VISIBLE in page
    assert f"Firm {visited.slug[-4:]}" in page
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(visited.tenant)
    row = await visit_row(state, visit)
    assert (row.reason, row.ended_at, (row.ends_at - row.began_at).total_seconds()) == (REASON, None, 3600)
    assert "support until" in (await operator.get(f"/ops/tenants?q={visited.slug}")).text
    left = await leave(state, operator)
    assert (left.status_code, left.headers["location"]) == (303, "/ops/tenants")
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(firm.tenant)
    assert (await visit_row(state, visit)).ended_how == "left"
    assert "support until" not in (await operator.get(f"/ops/tenants?q={visited.slug}")).text
    assert await told(state, visit) == ["access.support_began", "access.support_ended left"]
    async with tenant_work(state.db, visited.scope()) as session:
        assert (await verify_chain(session, visited.tenant)).intact


@pytest.mark.parametrize(
    ("reason", "minutes"),
    [("", "60"), ("too short", "60"), ("x" * 501, "60"), (REASON, "241"), (REASON, ""), (" " * 20, "60")],
)
async def test_without_a_reason_or_with_another_limit_the_form_comes_back(
    state: State, operator: As, visited: Firm, reason: str, minutes: str
) -> None:
    answer = await ask(operator, visited, reason, minutes)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text or "aria-invalid" in answer.text
    assert (await operator.get("/api/v1/me")).json()["tenant"] != str(visited.tenant)


@pytest.mark.parametrize(
    "body",
    [
        {"files": {"reason": ("a.txt", b"long enough to be one")}, "data": {"minutes": "60"}},
        {"data": {"reason": [REASON, REASON], "minutes": "60"}},
        {"data": {"reason": REASON + "\x00", "minutes": "60"}},
        {"data": {"reason": REASON + "\x1b[2J", "minutes": "60"}},
        {"data": {"reason": REASON, "minutes": ["15", "60"]}},
    ],
)
async def test_a_form_that_is_none_of_ours_begins_nothing(operator: As, visited: Firm, body: dict[str, Any]) -> None:
    path = f"/ops/tenants/{visited.tenant}/visit"
    assert (await operator.post(path, headers=form_headers(operator), **body)).status_code == 422
    assert VISIBLE not in (await operator.get("/projects")).text


async def test_only_an_operator_with_a_fresh_second_factor_comes_in(
    state: State, operator: As, firm: Firm, visited: Firm, http: httpx.AsyncClient
) -> None:
    mine = visited.people[Role.OWNER]
    assert (await ask(As(http, mine), firm)).status_code == 403
    assert operator.caller is not None
    user = operator.caller.user
    await as_ops(
        state, "UPDATE session SET authenticated_at = now() - interval '16 minutes' WHERE user_id = :u", u=user
    )
    sent = await ask(operator, visited)
    assert sent.headers["location"] == f"/confirm?next=/ops/tenants/{visited.tenant}/visit"
    await as_ops(state, "UPDATE user_account SET totp_confirmed_at = NULL WHERE id = :u", u=user)
    await as_ops(state, "UPDATE session SET authenticated_at = now() WHERE user_id = :u", u=user)
    assert (await ask(operator, visited)).headers["location"].startswith("/confirm")
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(firm.tenant)


async def test_a_visitor_reads_what_a_viewer_reads_and_nothing_else(
    state: State, operator: As, visit: str, world: Furnished, http: httpx.AsyncClient
) -> None:
    """Every page and answer: what a viewer of the firm gets, without a member's own things; never a server error."""
    viewer = As(http, world.firm.people[Role.VIEWER])
    unlike = {}
    for route in routes(state, safe=True):
        if route.path.startswith(("/ops", "/api/v1/app/events", "/firms")):
            continue
        mine, theirs = await operator.get(route.at(world.ids)), await viewer.get(route.at(world.ids))
        if mine.status_code != theirs.status_code:
            unlike[route.path] = (mine.status_code, theirs.status_code)
    # For operators, wherever they are.
    allowed = {"/api/v1/health/detail", "/api/v1/metrics", "/api/v1/observability/request/{request_id}"}
    assert {path: codes for path, codes in unlike.items() if path not in allowed} == {}


async def test_nothing_can_be_sent_by_any_page_or_verb_of_the_api(
    state: State, operator: As, visit: str, world: Furnished
) -> None:
    """Not bulk changes, imports, invitations, tokens, one's own password, or another visit either."""
    before = await _rows(state, world.firm)
    for method, path, opt in routes_of(state):
        if method in SAFE or path in VISITOR_ROUTES:
            continue
        body = {"json" if path.startswith("/api/") else "data": {"name": "x"}}
        answer = await operator.send(method, Route(method, path).at(world.ids), headers=form_headers(operator), **body)
        # What needs nobody who is signed in reads the body first.
        allowed = range(400, 500) if opt["access"].door is Door.PUBLIC else (403,)
        assert answer.status_code in allowed, f"{method} {path}: {answer.status_code} {answer.text[:200]}"
    assert await _rows(state, world.firm) == before


async def test_the_transaction_itself_is_read_only(state: State, operator: As, visited: Firm, visit: str) -> None:
    """Whatever the code of a page tries, by either way to read."""

    @get("/session", opt=in_tenant())
    async def by_session(session: NamedDependency[AsyncSession]) -> str:
        return str(await session.scalar(text("SHOW transaction_read_only")))

    @get("/reader", opt=in_tenant())
    async def by_reader(reader: NamedDependency[Reader]) -> str:
        return str(await reader.conn.fetchval("SHOW transaction_read_only"))

    provided = {"session": Provide(provide_session), "reader": Provide(provide_reader)}
    app = Litestar(route_handlers=[by_session, by_reader], dependencies=provided, openapi_config=None)
    app.state.zena = state
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # an ASGI application like any other
    async with httpx.AsyncClient(transport=transport, base_url="https://zena.test") as probe:
        for way in ("/session", "/reader"):
            assert (await As(probe, operator.caller).get(way)).text == "on"
            assert (await owner(visited, probe).get(way)).text == "off"
    assert {"GET /session", "GET /reader"} <= set(await looked(state, visit))


async def test_ones_own_firm_is_another_one_during_a_visit(state: State, operator: As, visited: Firm) -> None:
    made = await operator.post("/api/v1/app/projects", json={"key": "OWN", "name": "Own"})
    path = f"/api/v1/app/projects/{made.json()['id']}"
    assert (await operator.get(path)).status_code == 200
    await enter(state, operator, visited)
    assert (await operator.get(path)).status_code == 404
    await leave(state, operator)
    assert (await operator.get(path)).status_code == 200


async def test_each_page_is_written_into_the_firms_record_once_a_minute(
    state: State, operator: As, visit: str, world: Furnished
) -> None:
    task = f"/tasks/{world.ids['task_key']}" if "task_key" in world.ids else "/projects"
    for path in ("/projects", "/projects", task, "/projects?q=x"):
        await operator.get(path)
    await send(operator, "/projects", name="Mine", key="MIN")
    await operator.get("/ops/tenants")
    seen = await looked(state, visit)
    assert seen.count("GET /projects") == 1
    assert "POST /projects" in seen
    assert not [one for one in seen if "/ops" in one]
    past = "UPDATE audit_entry SET at = '2020-01-01T00:00:00+00:00' WHERE subject_id = CAST(:id AS uuid)"
    await as_ops(state, past, id=visit)
    await operator.get("/projects")
    assert (await looked(state, visit)).count("GET /projects") == 2


@pytest.mark.parametrize(
    "path", ["/projects/%00", "/projects/%FF%FE", "/projects/%0d%0aX", "/projects/" + "%F0%9F%8F%97" * 200]
)
async def test_an_odd_address_is_written_down_like_any_other(
    state: State, operator: As, stranger: Firm, path: str
) -> None:
    visit = await enter(state, operator, stranger)
    assert 400 <= (await operator.get(path)).status_code < 500
    seen = await looked(state, visit)
    assert all(one.isprintable() and len(one) <= 310 for one in seen)
    async with tenant_work(state.db, stranger.scope()) as session:
        assert (await verify_chain(session, stranger.tenant)).intact


async def test_a_visitor_is_no_member(state: State, visited: Firm, http: httpx.AsyncClient, operator: As) -> None:
    counted = await owner(visited, http).get("/api/v1/app/members?limit=100")
    await enter(state, operator, visited)
    assert (await owner(visited, http).get("/api/v1/app/members?limit=100")).json() == counted.json()
    assert operator.caller is not None
    assert operator.caller.email not in (await owner(visited, http).get("/members")).text


async def test_the_firm_sees_it_at_once_by_letter_on_every_page_and_in_the_list(
    state: State, operator: As, stranger: Firm, http: httpx.AsyncClient
) -> None:
    visit = await enter(state, operator, stranger)
    await operator.get("/projects")
    said = "looks at your firm until"
    for role, told_so in ((Role.OWNER, True), (Role.ADMIN, True), (Role.PM, False), (Role.MEMBER, False)):
        assert (said in (await As(http, stranger.people[role]).get("/projects")).text) is told_so, role
    listed = (await owner(stranger, http).get("/settings/support")).text

    assert REASON in listed
    assert "GET /projects" in listed
    api = (await owner(stranger, http).get("/api/v1/app/support-visits")).json()["data"][0]
    assert (api["id"], api["reason"], api["opened"][0]["opened"]) == (visit, REASON, "GET /projects")
    queued = await as_ops(
        state,
        "SELECT count(*) FROM queue.pgqueuer WHERE entrypoint = 'accounts.mail_visit' AND headers ->> 'tenant' = :t"
        " AND convert_from(payload, 'UTF8') LIKE '%' || :v || '%'", t=str(stranger.tenant), v=visit,
    )  # fmt: skip
    assert queued[0][0] == 2
    await leave(state, operator)
    assert said not in (await owner(stranger, http).get("/projects")).text


@pytest.mark.parametrize("api", [False, True])
async def test_the_firm_ends_it_and_the_next_request_sees_nothing(
    state: State, operator: As, firm: Firm, visited: Firm, visit: str, http: httpx.AsyncClient, api: bool
) -> None:
    for other, code in ((owner(firm, http), 404), (As(http, visited.people[Role.PM]), 403)):
        if other.caller is not operator.caller:
            assert (await other.delete(f"/api/v1/app/support-visits/{visit}")).status_code == code
    boss = owner(visited, http)
    if api:
        assert (await boss.delete(f"/api/v1/app/support-visits/{visit}")).status_code == 204
        assert (await boss.delete(f"/api/v1/app/support-visits/{visit}")).status_code == 204
    else:
        assert (await send(boss, f"/settings/support/{visit}/end")).status_code == 303
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(firm.tenant)
    assert VISIBLE not in (await operator.get("/projects")).text
    assert await told(state, visit) == ["access.support_began", "access.support_ended firm"]
    assert (await leave(state, operator)).status_code == 303


@pytest.mark.parametrize(
    ("fate", "how"),
    [
        (
            "UPDATE support_visit SET began_at = began_at - interval '2 hours', ends_at = now() WHERE id = :visit",
            "limit",
        ),
        ("UPDATE user_account SET is_operator = false WHERE id = :user", "access"),
        ("UPDATE session SET revoked_at = now() WHERE id = :session", "access"),
        ("UPDATE tenant SET status = 'suspended' WHERE id = :tenant", "access"),
        ("UPDATE support_visit SET operator_id = gen_random_uuid() WHERE id = :visit", "access"),
    ],
)
async def test_it_ends_with_what_it_rests_on(
    state: State, operator: As, visited: Firm, visit: str, fate: str, how: str
) -> None:
    assert operator.caller is not None
    values = {
        "visit": visit,
        "user": operator.caller.user,
        "session": operator.caller.session,
        "tenant": visited.tenant,
    }
    await as_ops(state, fate, **{name: value for name, value in values.items() if f":{name}" in fate})
    answer = await operator.get("/api/v1/me")
    assert answer.status_code == 401 or answer.json()["tenant"] != str(visited.tenant)
    assert VISIBLE not in (await operator.get("/projects")).text
    await as_ops(state, "UPDATE tenant SET status = 'active' WHERE id = :t", t=visited.tenant)
    if "suspended" in fate:
        return  # served again, it goes on until its limit
    await end_visits(job_of(state, "accounts.end_visits"))
    assert await told(state, visit) == ["access.support_began", f"access.support_ended {how}"]
    await end_visits(job_of(state, "accounts.end_visits"))
    assert len(await told(state, visit)) == 2


async def test_signing_out_ends_it_at_once(state: State, operator: As, stranger: Firm, http: httpx.AsyncClient) -> None:
    visit = await enter(state, operator, stranger)
    assert (await send(operator, "/sign-out")).status_code == 303
    assert "looks at your firm" not in (await owner(stranger, http).get("/projects")).text
    await end_visits(job_of(state, "accounts.end_visits"))
    assert (await told(state, visit))[1:] == ["access.support_ended access"]


async def test_another_session_of_the_same_operator_sees_nothing(
    state: State, operator: As, firm: Firm, visited: Firm
) -> None:
    former = operator.caller
    assert former is not None
    old = former.cookie
    await enter(state, operator, visited)
    former.cookie, new = old, former.cookie
    assert (await operator.get("/api/v1/me")).status_code == 401, "the value known before is dead"
    former.cookie = new
    assert (await operator.get("/api/v1/me")).json()["tenant"] == str(visited.tenant)


async def test_two_at_once_in_one_session_are_one_visit(state: State, operator: As, visited: Firm) -> None:
    answers = await asyncio.gather(ask(operator, visited), ask(operator, visited))
    assert sorted(answer.status_code for answer in answers) in ([303, 303], [303, 401], [303, 403])
    for answer in answers:
        await renew(state, operator, answer)
    opened = "SELECT v.id FROM support_visit v, gate.open_visit(:s) o WHERE o.id = v.id"
    assert operator.caller is not None
    assert len(await as_ops(state, opened, s=operator.caller.session)) == 1


async def test_a_firm_that_is_not_served_or_not_there_cannot_be_entered(
    state: State, operator: As, visited: Firm
) -> None:
    await as_ops(state, "UPDATE tenant SET status = 'suspended' WHERE id = :t", t=visited.tenant)
    assert (await ask(operator, visited)).status_code == 422
    await as_ops(state, "UPDATE tenant SET status = 'active' WHERE id = :t", t=visited.tenant)
    assert (await send(operator, f"/ops/tenants/{new_id()}/visit", reason=REASON, minutes="60")).status_code == 404


async def test_the_letter_names_who_why_and_until_when(state: State, operator: As, visited: Firm) -> None:
    visit = await enter(state, operator, visited)
    mailer = NullMailer()
    work = job_of(replace(state, mail=mailer), "accounts.mail_visit", visited.tenant)
    await mail_visit(work, visit_id=UUID(visit), user_id=visited.people[Role.ADMIN].user)
    assert mailer.sent[0].to == visited.people[Role.ADMIN].email
    assert REASON in mailer.sent[0].text
    assert "/settings/support" in mailer.sent[0].text


async def _rows(state: State, firm: Firm) -> list[tuple[object, ...]]:
    """What the firm has, apart from the record of the visit."""
    tables = ("task", "project", "comment", "ws_ticket", "invitation", "membership", "api_token", "import_run")
    counted = ", ".join(f"(SELECT count(*) FROM {table} WHERE tenant_id = :t)" for table in tables)  # noqa: S608 - the names above
    events = "(SELECT count(*) FROM event WHERE tenant_id = :t AND type NOT LIKE 'access.support%')"
    return [tuple(row) for row in await as_ops(state, f"SELECT {events}, {counted}", t=firm.tenant)]
