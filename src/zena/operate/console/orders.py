"""What an operator has done to an incident: the page writes an order, a worker carries it out, the page shows it."""

import re
from typing import Final
from urllib.parse import quote

from litestar import Response, post
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.facade import missing_step
from zena.kit.access import operator
from zena.kit.errors import Invalid
from zena.kit.html import AnyRequest, FormRefused, refusing, see_other
from zena.kit.i18n import N_
from zena.kit.scope import Identity
from zena.kit.state import state_of
from zena.kit.text import required_text
from zena.operate.console.desk import PLACE, nav_at
from zena.operate.console.incidents import TEMPLATE, incident_page
from zena.operate.door import reading
from zena.operate.orders.book import KINDS, Kind, Order, place
from zena.operate.orders.doing import wants_typing
from zena.operate.remedies.catalogue import BY_NAME

_WORDS: Final = 2000
_HASH: Final = re.compile("[0-9a-f]{64}")
_LARGEST: Final = 2**63


@post("/ops/incidents/{number:int}/orders", opt=operator(), status_code=303)
async def give(request: AnyRequest, session: AsyncSession, identity: Identity, number: FromPath[int]) -> Response[str]:
    """Write down what is to be done, for a worker; a form that says nothing of the kind comes back."""
    state, here = state_of(request), f"/ops/incidents/{number}"
    if await missing_step(session, identity, state.clock.now()):
        return see_other(request, f"/confirm?next={quote(here, safe='/')}")
    async with reading(state) as conn:
        shown = await incident_page(request, conn, number)
    form = await request.form()
    context = shown | {"frame": "ops/still.html", "place": PLACE, "back": _number(form)}
    try:
        async with refusing(request, session, TEMPLATE, form, form=_form(form), catch=(Invalid,), **context):
            order = _order(number, form, {run.row["id"]: run.row["remedy"] for run in shown["runs"]})
    except FormRefused as refused:
        refused.nav = nav_at(here)
        raise
    await place(state.db, identity.session, order)
    return see_other(request, here, toast=N_("A worker does it now; this page shows how it goes."))


def _order(incident: int, form: FormMultiDict, runs: dict[int, str]) -> Order:
    """Return what a form asks for. Raises Invalid."""
    kind = next((one for one in KINDS if one == _field(form, "kind")), None)
    if kind is None:
        raise Invalid.field("kind", N_("Choose one of these."), "choice")
    if kind in {"note", "close"}:
        return Order(incident, kind, " ".join(required_text(_field(form, "words"), "words", _WORDS).split()))
    if kind == "acknowledge":
        return Order(incident, kind)
    return _with_remedy(incident, kind, form, runs)


def _with_remedy(incident: int, kind: Kind, form: FormMultiDict, runs: dict[int, str]) -> Order:
    run = _number(form)
    remedy = BY_NAME.get(runs.get(run, "") if kind == "undo" else _field(form, "remedy"))
    if remedy is None:
        raise Invalid.field("remedy", N_("Choose one of these."), "choice")
    confirmed = remedy.id if wants_typing(kind, remedy) else ""
    if confirmed and _field(form, "words").strip() != confirmed:
        raise Invalid.field("words", N_("Type the name of the remedy as it stands above."), "mismatch")
    if kind == "undo":
        return Order(incident, kind, confirmed, run=run)
    if kind == "plan":
        return Order(incident, kind, remedy=remedy.id)
    wanted = _field(form, "hash")
    if _HASH.fullmatch(wanted) is None:
        raise Invalid.field("hash", N_("Plan it first."), "hash")
    return Order(incident, kind, confirmed, remedy.id, wanted, even_so=_field(form, "even_so") == "on")


def _form(form: FormMultiDict) -> str:
    """Return the name of the form that was sent, as the page has it."""
    kind, remedy = _field(form, "kind"), _field(form, "remedy")
    return f"{kind}-{remedy}" if remedy in BY_NAME else kind


def _number(form: FormMultiDict) -> int:
    text = _field(form, "run")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST)) else 0
    return min(number, _LARGEST - 1)


def _field(form: FormMultiDict, name: str) -> str:
    """Return a field; a file, or one sent twice, is none."""
    values = form.getall(name, [])
    return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


ROUTES = [give]
