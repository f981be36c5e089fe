"""J09, the operators' console: who gets in, after which proof; what it shows, and what it never shows."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import httpx
import pytest

from tests.accounts.browser import Browser, as_ops, enrol, make_person
from tests.factories import Firm
from tests.factories.firms import As
from tests.factories.recorder import recording, tapped
from tests.operate.console import PAGES, make_operator
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.embedded import ClusterUrls
from zena.kit.ids import new_id
from zena.kit.state import State

#: Statements of one page while the figures are fresh: entering, the proof, and what is read anew each time.
BUDGET = 6


@pytest.fixture
async def operator(state: State, firm: Firm, http: httpx.AsyncClient) -> As:
    return await make_operator(state, firm, http)


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(urls.ops)
    yield conn
    await conn.close()


@pytest.mark.parametrize("page", PAGES)
async def test_an_operator_sees_every_page_and_its_figures_alone(operator: As, page: str) -> None:
    whole = await operator.get(page)
    assert whole.status_code == 200, whole.text[:600]
    assert 'id="figures" data-poll="10"' in whole.text
    assert "style=" not in whole.text
    part = await operator.get(page, headers={"hx-request": "true", "hx-target": "figures"})
    assert part.text.lstrip().startswith('<div class="stack ops" id="figures"')
    assert "<html" not in part.text


@pytest.mark.parametrize("page", PAGES)
async def test_an_owner_who_is_no_operator_is_refused(firm: Firm, http: httpx.AsyncClient, page: str) -> None:
    assert (await firm.client(http).get(page)).status_code == 403


async def test_without_a_second_factor_nothing_is_shown_but_the_way_to_one(
    state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    owner = firm.people[Role.OWNER]
    await as_ops(state, "UPDATE user_account SET is_operator = true WHERE id = :user", user=owner.user)
    for page in PAGES:
        answer = await As(http, owner).get(page)
        assert answer.status_code == 200
        assert "/profile/security" in answer.text
        assert "data-poll" not in answer.text


async def test_a_proof_older_than_a_quarter_of_an_hour_is_asked_for_again(
    state: State, firm: Firm, operator: As
) -> None:
    aged = "UPDATE session SET authenticated_at = now() - CAST(:age AS text)::interval WHERE user_id = :user"
    user = firm.people[Role.OWNER].user
    await as_ops(state, aged, user=user, age="14 minutes 50 seconds")
    assert (await operator.get("/ops")).status_code == 200
    await as_ops(state, aged, user=user, age="15 minutes")
    sent = await operator.get("/ops/requests?reason=slow")
    assert (sent.status_code, sent.headers["location"]) == (303, "/confirm?next=/ops/requests%3Freason%3Dslow")
    polled = await operator.get("/ops", headers={"hx-request": "true", "hx-target": "figures"})
    assert (polled.text, polled.headers["hx-redirect"]) == ("", "/confirm?next=/ops")


async def test_a_session_from_before_the_second_factor_has_proved_a_password_only(
    state: State, firm: Firm, operator: As
) -> None:
    await as_ops(
        state,
        "UPDATE session SET authenticated_at = now() - interval '2 minutes' WHERE user_id = :user",
        user=firm.people[Role.OWNER].user,
    )
    await as_ops(
        state,
        "UPDATE user_account SET totp_confirmed_at = now() - interval '1 minute' WHERE id = :user",
        user=firm.people[Role.OWNER].user,
    )
    assert (await operator.get("/ops")).headers["location"] == "/confirm?next=/ops"


async def test_who_is_no_operator_any_more_is_out_with_the_next_request(state: State, firm: Firm, operator: As) -> None:
    assert (await operator.get("/ops")).status_code == 200
    user = firm.people[Role.OWNER].user
    await as_ops(state, "UPDATE user_account SET is_operator = false WHERE id = :user", user=user)
    assert (await operator.get("/ops", headers={"hx-request": "true", "hx-target": "figures"})).status_code == 403


async def test_an_operator_needs_no_firm(state: State, firm: Firm, operator: As) -> None:
    user = firm.people[Role.OWNER].user
    await as_ops(state, "UPDATE session SET active_tenant = NULL WHERE user_id = :user", user=user)
    for page in PAGES:
        answer = await operator.get(page)
        assert answer.status_code == 200, answer.text[:600]
        assert 'href="/firms"' in answer.text


async def test_many_who_look_at_once_are_all_answered(operator: As) -> None:
    answers = await asyncio.gather(*(operator.get(page) for page in PAGES * 3))
    assert {answer.status_code for answer in answers} == {200}


async def test_password_and_code_open_the_console_and_a_wrong_code_does_not(
    state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    transport = http._transport
    assert isinstance(transport, httpx.ASGITransport)
    person = await make_person(state, firm)
    async with Browser(transport.app) as browser:
        await browser.sign_in(person)
        await enrol(state, browser, person)
        await as_ops(state, "UPDATE user_account SET is_operator = true WHERE id = :user", user=person.user)
        assert (await browser.get("/ops")).headers["location"] == "/confirm?next=/ops"
        for wrong in ("", "000000"):
            fields = {"password": person.password, "code": wrong, "next": "/ops"}
            assert (await browser.form("/confirm?next=/ops", "/confirm", fields)).status_code == 422
            assert (await browser.get("/ops")).status_code == 303
        fields = {"password": person.password, "code": person.code(state), "next": "/ops"}
        assert (await browser.form("/confirm?next=/ops", "/confirm", fields)).headers["location"] == "/ops"
        assert (await browser.get("/ops")).status_code == 200


async def test_an_api_token_of_an_operator_does_not_open_the_console(
    state: State, firm: Firm, operator: As, http: httpx.AsyncClient
) -> None:
    made = await operator.post(
        "/api/v1/app/tokens",
        json={
            "name": "robot",
            "scopes": ["projects.view"],
            "expires_at": (state.clock.now() + timedelta(days=1)).isoformat(),
        },
        headers={"x-zena-token": form_token(firm.people[Role.OWNER].form_secret)},
    )
    assert made.status_code == 201, made.text
    answer = await As(http, None).get("/ops", headers={"authorization": f"Bearer {made.json()['secret']}"})
    assert answer.status_code == 403


async def test_firms_are_shown_in_numbers_and_nothing_that_stands_in_them(
    operator: As, stranger: Firm, http: httpx.AsyncClient
) -> None:
    canary = f"canary{new_id().hex}"
    owner = stranger.client(http)
    project = (await owner.post("/api/v1/app/projects", json={"name": canary, "key": "CAN"})).json()["id"]
    for number in range(3):
        made = await owner.post(f"/api/v1/app/projects/{project}/tasks", json={"name": f"{canary} {number}"})
        assert made.status_code == 201
    await owner.get(f"/api/v1/app/projects?q={canary}")
    page = await operator.get(f"/ops/tenants?q={stranger.slug}")
    row = re.search(rf"<tr><td>[^<]* <span class=\"tiny\">{stranger.slug}</span>.*?</tr>", page.text, re.DOTALL)
    assert row is not None, page.text
    figures = re.findall(r'<td class="r num wide">([^<]*)</td>', row[0])
    assert figures == ["6", "1", "3"]  # members, projects, tasks
    for path in PAGES:
        text = (await operator.get(path)).text
        assert canary not in text
        assert stranger.people[Role.OWNER].email not in text


async def test_held_jobs_tell_no_message_and_settings_no_secret(
    state: State, operator: As, ops: asyncpg.Connection
) -> None:
    job = await ops.fetchval(
        "INSERT INTO queue.pgqueuer (priority, entrypoint, status, payload) VALUES (0, 'work.canary', 'failed', $1)"
        " RETURNING id", b"{}",
    )  # fmt: skip
    await ops.execute(
        "INSERT INTO queue.pgqueuer_log (job_id, status, priority, entrypoint, traceback)"
        " VALUES ($1, 'failed', 0, 'work.canary', $2)",
        job, '{"exception_type": "ValueError", "exception_message": "Phan wrote this"}',
    )  # fmt: skip
    text = (await operator.get("/ops/queue")).text
    await ops.execute("DELETE FROM queue.pgqueuer WHERE id = $1", job)
    assert "work.canary" in text
    assert "ValueError" in text
    assert "Phan wrote this" not in text
    shown = (await operator.get("/ops/settings")).text
    assert "ZENA_DATABASE_URL" in shown
    url = state.settings.database_url
    assert url is not None
    assert url.get_secret_value() not in shown


@pytest.mark.parametrize("gate", ["firms_in_numbers()", "firms_called(ARRAY[]::text[])", "own_firms()"])
async def test_the_app_role_cannot_list_firms(urls: ClusterUrls, gate: str) -> None:
    conn = await asyncpg.connect(urls.app)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch(f"SELECT * FROM gate.{gate}")  # noqa: S608 - ours
    finally:
        await conn.close()


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_costs_few_statements(operator: As, page: str) -> None:
    with tapped():
        await operator.get(page)
        with recording() as sent:
            assert (await operator.get(page)).status_code == 200
    assert 2 <= len(sent.asked) <= BUDGET, sent.listing()
    assert sent.writes == [], sent.listing()


@pytest.mark.parametrize(
    "page",
    ["/ops?span=2h", "/ops/queries?back=2h", "/ops/requests?reason=any", "/ops/requests?route=%00",
     "/ops/requests/%00", "/ops/tenants?q=%00", "/ops/tenants?q=%25%27", f"/ops/requests?route={'x' * 300}",
     "/ops/requests/none"],
)  # fmt: skip
async def test_odd_questions_are_answered_or_refused_and_never_an_error(operator: As, page: str) -> None:
    assert (await operator.get(page)).status_code in {200, 400, 404, 422}


async def test_only_operators_are_offered_the_console(operator: As, firm: Firm, http: httpx.AsyncClient) -> None:
    assert 'href="/ops"' in (await operator.get("/projects")).text
    assert 'href="/ops"' not in (await firm.client(http, "admin").get("/projects")).text
