"""C01, C02, C07, C08, C14: signing in and what a session is worth."""

import math
import statistics
import time

import httpx
import pytest

from tests.accounts.browser import COOKIE, ORIGIN, Browser, Person, as_ops, make_person
from tests.factories import Firm
from zena.accounts.secrecy import digest
from zena.kit.state import State


async def test_sign_in_opens_a_session(browser: Browser, person: Person, firm: Firm) -> None:
    answer = await browser.sign_in(person)
    assert answer.status_code == 200
    assert answer.json() == {"stage": "full", "user": str(person.user), "tenant": str(firm.tenant), "role": "member"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for attribute in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"):
        assert attribute.lower() in cookie.lower()
    assert "domain" not in cookie.lower()
    assert await browser.is_signed_in()


async def test_C01_a_planted_cookie_is_never_adopted(state: State, browser: Browser, person: Person) -> None:
    planted = "planted-by-somebody-else"
    browser.client.cookies.set(COOKIE, planted, domain="zena.test", path="/")
    answer = await browser.sign_in(person)
    assert answer.status_code == 200
    assert answer.cookies[COOKIE] != planted
    assert not await as_ops(state, "SELECT 1 FROM session WHERE token_hash = :hash", hash=digest(planted))


async def test_C01_signing_in_again_ends_the_session_before(app: object, browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    before = browser.cookie
    await browser.sign_in(person)
    assert browser.cookie != before
    async with Browser(app) as thief:
        thief.client.cookies.set(COOKIE, before or "", domain="zena.test", path="/")
        assert not await thief.is_signed_in()


@pytest.mark.parametrize(
    "fate",
    [
        "UPDATE session SET expires_at = now() WHERE user_id = :user",
        "UPDATE session SET last_seen_at = now() - interval '73 hours' WHERE user_id = :user",
        "UPDATE session SET revoked_at = now() WHERE user_id = :user",
        "UPDATE session SET stage = 'mfa' WHERE user_id = :user",
        "UPDATE user_account SET is_active = false WHERE id = :user",
    ],
)
async def test_C02_a_session_that_is_over_opens_nothing(
    fate: str, state: State, browser: Browser, person: Person
) -> None:
    """No sweeper runs here: the query itself refuses."""
    await browser.sign_in(person)
    assert await browser.is_signed_in()
    await as_ops(state, fate, user=person.user)
    assert (await browser.api("GET", "me")).status_code == 401
    assert (await browser.get("/profile")).headers["location"] == "/sign-in?next=/profile"


async def test_C02_signing_out_ends_the_session(app: object, browser: Browser, person: Person) -> None:
    await browser.sign_in(person)
    kept = browser.cookie
    answer = await browser.form("/profile", "/sign-out", {})
    assert answer.headers["location"] == "/sign-in"
    assert browser.cookie is None
    async with Browser(app) as thief:
        thief.client.cookies.set(COOKIE, kept or "", domain="zena.test", path="/")
        assert not await thief.is_signed_in()


async def test_C02_a_suspended_firm_is_not_served_and_says_why(
    state: State, browser: Browser, person: Person, firm: Firm
) -> None:
    await browser.sign_in(person)
    await as_ops(state, "UPDATE tenant SET status = 'suspended' WHERE id = :id", id=firm.tenant)
    answer = await browser.api("GET", "app/members")
    assert (answer.status_code, answer.json()["code"]) == (403, "NO_TENANT_ACCESS")
    assert "suspended" in answer.json()["detail"]
    assert (await browser.sign_in(person)).json()["tenant"] is None
    assert "not served" in (await browser.get("/firms")).text


async def test_C07_unknown_wrong_and_deactivated_are_one_answer(
    state: State, app: object, person: Person, firm: Firm
) -> None:
    gone = await make_person(state, firm)
    await as_ops(state, "UPDATE user_account SET is_active = false WHERE id = :user", user=gone.user)
    bodies = [
        {"email": "nobody@people.test", "password": person.password},
        {"email": person.email, "password": "not-the-password"},
        {"email": gone.email, "password": gone.password},
        {"email": "no address at all", "password": person.password},
        {"email": person.email, "password": "x" * 4096},
    ]
    answers = []
    for body in bodies:
        async with Browser(app) as browser:
            answers.append(await browser.api("POST", "auth/login", body))
    assert {answer.status_code for answer in answers} == {401}
    told = [{k: v for k, v in answer.json().items() if k != "traceId"} for answer in answers]
    assert all(one == told[0] for one in told)
    assert told[0]["code"] == "INVALID_CREDENTIALS"
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_C07_an_unknown_address_costs_as_much_as_a_known_one(state: State, app: object, person: Person) -> None:
    """The shape of the check; the full one of a thousand timings is a nightly run."""
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for turn in range(24):
        for kind, email in (("known", person.email), ("unknown", f"nobody{turn}@people.test")):
            async with Browser(app) as browser:
                began = time.perf_counter()
                await browser.api("POST", "auth/login", {"email": email, "password": "wrong-but-long"})
                times[kind].append(time.perf_counter() - began)
        await as_ops(state, "DELETE FROM throttle")
    known, unknown = (statistics.median(times[kind]) for kind in ("known", "unknown"))
    assert 0.6 < known / unknown < 1.6, (known, unknown)


async def test_C08_wrong_passwords_must_wait_and_the_right_one_too(state: State, app: object, person: Person) -> None:
    async with Browser(app) as browser:
        wrong = {"email": person.email, "password": "wrong-but-long"}
        statuses = [
            (await browser.api("POST", "auth/login", wrong)).status_code for _ in range(state.settings.rate_sign_in + 1)
        ]
        assert statuses == [401] * (state.settings.rate_sign_in + 1)
        refused = await browser.sign_in(person)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        spoofed = await browser.sign_in(person, **{"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"})
        assert spoofed.status_code == 429
    async with Browser(app) as elsewhere:
        assert (await elsewhere.sign_in(person)).status_code == 200


async def test_C08_the_count_survives_the_rollback_of_its_request(state: State, app: object, person: Person) -> None:
    """A failed sign-in raises, so its own transaction is rolled back; what is counted stands in the database."""
    async with Browser(app) as browser:
        await browser.api("POST", "auth/login", {"email": person.email, "password": "wrong-but-long"})
    assert await as_ops(state, "SELECT 1 FROM throttle WHERE count = 1")


NEXT = [
    ("/projects/HBR?view=board", "/projects/HBR?view=board"),
    *[
        (path, "/")
        for path in (
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https://evil.test",
            "http:evil.test",
            "javascript:alert(1)",
            "/%2f/evil.test",
            "/%5cevil.test",
            "/a//evil.test",
            "evil.test",
            "/\tevil",
            "/\r\nSet-Cookie: a=b",
            "/a/../../evil",
            " /ok",
            "",
        )
    ],
]


@pytest.mark.parametrize(("wanted", "target"), NEXT)
async def test_C14_sign_in_leads_nowhere_else(wanted: str, target: str, browser: Browser, person: Person) -> None:
    answer = await browser.form(
        "/sign-in", "/sign-in", {"email": person.email, "password": person.password, "next": wanted}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == target
    again = await browser.client.get("/sign-in", params={"next": wanted})
    assert again.headers["location"] == target


async def test_a_refused_form_keeps_the_address_and_never_the_password(browser: Browser, person: Person) -> None:
    answer = await browser.form("/sign-in", "/sign-in", {"email": person.email, "password": "wrong-but-long"})
    assert answer.status_code == 422
    assert person.email in answer.text
    assert "wrong-but-long" not in answer.text
    assert "The address or the password is not right." in answer.text


@pytest.mark.parametrize("fields", ["email=a@b.test&email=c@d.test&password=x", "email=a@b.test&password=x&password=y"])
async def test_repeated_fields_are_refused(fields: str, browser: Browser) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await browser.client.post("/sign-in", content=fields, headers=headers)
    assert answer.status_code == 422


async def test_D01_another_site_cannot_sign_somebody_in(app: object, person: Person) -> None:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # the guard is an ASGI application
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.test"}, {"origin": "null"}):
            answer = await client.post(
                "/sign-in", data={"email": person.email, "password": person.password}, headers=headers
            )
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


@pytest.mark.nightly
async def test_C07_a_thousand_timings_tell_nothing(state: State, app: object, person: Person) -> None:
    """Mann-Whitney over a thousand sign-ins of each kind, taken in turns: p > 0.01, and medians within 5 %."""
    known: list[float] = []
    unknown: list[float] = []
    for turn in range(1000):
        for email, times in ((person.email, known), (f"nobody{turn}@people.test", unknown)):
            async with Browser(app) as browser:
                body = {"email": email, "password": "wrong-but-long"}
                began = time.perf_counter()
                await browser.api("POST", "auth/login", body)
                times.append(time.perf_counter() - began)
        await as_ops(state, "DELETE FROM throttle")
    assert abs(statistics.median(known) / statistics.median(unknown) - 1) < 0.05
    assert mann_whitney(known, unknown) > 0.01


def mann_whitney(first: list[float], second: list[float]) -> float:
    """Return the two-sided p by the normal approximation, good for samples of this size without ties."""
    ranked = sorted([(value, True) for value in first] + [(value, False) for value in second])
    ranks = sum(rank for rank, (_, is_first) in enumerate(ranked, start=1) if is_first)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))
