"""An operator of one firm who looks at another as support."""

from typing import Any

import httpx

from tests.accounts.browser import as_ops
from tests.factories import Firm
from tests.factories.firms import COOKIE, As
from tests.operate.console import make_operator
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token
from zena.kit.state import State

REASON = "Request 4711: the board does not show tasks"


async def operator_of(state: State, firm: Firm, http: httpx.AsyncClient) -> As:
    """Make the firm's owner an operator who proved a second factor just now."""
    return await make_operator(state, firm, http)


async def ask(who: As, firm: Firm, reason: str = REASON, minutes: str = "60") -> httpx.Response:
    return await send(who, f"/ops/tenants/{firm.tenant}/visit", reason=reason, minutes=minutes)


async def enter(state: State, who: As, firm: Firm, minutes: str = "60") -> str:
    """Begin a visit and speak from then on with the session's new value; return the visit's id."""
    answer = await ask(who, firm, minutes=minutes)
    assert (answer.status_code, answer.headers.get("location")) == (303, "/"), answer.text[:600]
    await renew(state, who, answer)
    return str((await the_session(state, who)).visit_id)


async def leave(state: State, who: As) -> httpx.Response:
    answer = await send(who, "/support/departure")
    await renew(state, who, answer)
    return answer


async def renew(state: State, who: As, answer: httpx.Response) -> None:
    """Keep the cookie that an answer sets, as a browser does."""
    assert who.caller is not None
    cookie = answer.cookies.get(COOKIE)
    if cookie is not None:
        who.caller.cookie = cookie
        who.caller.form_secret = (await the_session(state, who)).form_secret


async def send(who: As, path: str, **fields: str) -> httpx.Response:
    """Send a form as a page of ours would."""
    assert who.caller is not None
    return await who.post(path, data={**fields, "_token": form_token(who.caller.form_secret)})


async def the_session(state: State, who: As) -> Any:
    assert who.caller is not None
    return (await as_ops(state, "SELECT * FROM session WHERE id = :id", id=who.caller.session))[0]


async def visit_row(state: State, visit: str) -> Any:
    return (await as_ops(state, "SELECT * FROM support_visit WHERE id = CAST(:id AS uuid)", id=visit))[0]


async def looked(state: State, visit: str) -> list[str]:
    """What the firm's record says they asked for, in order."""
    sql = """SELECT after ->> 'opened' FROM audit_entry WHERE subject_id = CAST(:id AS uuid)
              AND action = 'access.support_looked' ORDER BY position"""
    return [row[0] for row in await as_ops(state, sql, id=visit)]


async def told(state: State, visit: str) -> list[str]:
    """The firm's record of a visit, without what was opened."""
    sql = """SELECT action || coalesce(' ' || (after ->> 'how'), '') FROM audit_entry
              WHERE subject_id = CAST(:id AS uuid) AND action <> 'access.support_looked' ORDER BY position"""
    return [row[0] for row in await as_ops(state, sql, id=visit)]


def owner(firm: Firm, http: httpx.AsyncClient) -> As:
    return As(http, firm.people[Role.OWNER])
