"""`zena trace`: one request as somebody, with everything it does."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zena.cli import CommandError, in_state, say
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.kit.state import State
    from zena.operate.tracing.request import Wanted

app = typer.Typer(add_completion=False)

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SHOWN: Final = 150
_FAILED: Final = 500


@app.command()
def trace(  # noqa: PLR0913, PLR0917 - the options of one command
    method: Annotated[str, typer.Argument(help="GET, HEAD, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="With its query: /api/v1/app/tasks?limit=50.")],
    as_: Annotated[str, typer.Option("--as", metavar="EMAIL", help="Whose request it is to be.")],
    tenant: Annotated[str | None, typer.Option(help="Short name of the firm; theirs, unless named.")] = None,
    data: Annotated[str | None, typer.Option(help="The body: JSON, or a form like name=x&note=y.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME:VALUE", help="One more header; may be repeated.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the plans of the slowest statements.")] = False,
) -> None:
    """Run a request in this process as somebody; show each statement, repeats, cache look-ups and where the time went.

    Whatever it changes is rolled back. It runs twice and the second run is shown. Exit 1 for N+1 or an answer of 500
    and more.

    Example: zena trace GET /dashboard --as lan@meridian.example --explain
    """
    wanted = _wanted(method, path, data, header or [])
    found = in_state(lambda state: _follow(state, wanted, as_, tenant, explain=explain))
    say(found, "\n".join(_lines(found)))
    bad = found["status"] >= _FAILED or any(one["n_plus_one"] for one in found["repeated"])
    raise typer.Exit(Exit.FINDING if bad else Exit.OK)


def _wanted(method: str, path: str, data: str | None, header: list[str]) -> "Wanted":
    from zena.operate.tracing.request import Wanted

    verb = method.upper()
    if verb not in _METHODS:
        raise CommandError(f"{method!r} is no method: {', '.join(_METHODS)}", Exit.USAGE)
    if not path.startswith("/"):
        raise CommandError(f"a path begins with /, such as /dashboard; {path!r} does not", Exit.USAGE)
    if data is not None and verb in {"GET", "HEAD"}:
        raise CommandError(f"{verb} has no body; leave --data out, or name the method that sends it", Exit.USAGE)
    pairs = [line.partition(":") for line in header]
    if any(not colon or not name.strip() or not line.isascii() for line, (name, colon, _) in zip(header, pairs)):  # noqa: B905 - one from the other
        raise CommandError("a header reads NAME:VALUE, such as If-Match:3", Exit.USAGE)
    return Wanted(verb, path, data, {name.strip(): value.strip() for name, _, value in pairs})


async def _follow(state: "State", wanted: "Wanted", email: str, tenant: str | None, *, explain: bool) -> dict[str, Any]:
    from zena.cli.lazy import resolve
    from zena.cli.shell import hooks, require
    from zena.kit.logs import setup_logging
    from zena.kit.text import email_address
    from zena.operate.tracing.follow import follow, plans
    from zena.settings import Role

    require(state.settings, Role.OPS)
    setup_logging("error", as_json=False)
    try:
        done = await follow(state, resolve(hooks().create_app), wanted, email=email_address(email), tenant=tenant)
    except TimeoutError as error:
        raise CommandError("the answer did not end within a minute; a live stream never does", Exit.RETRY) from error
    answer = done.answer
    return {
        "method": wanted.method,
        "path": wanted.target,
        "as": str(done.who.user),
        "tenant": str(done.who.tenant) if done.who.tenant else None,
        "status": answer.status,
        "code": answer.code,
        "location": answer.location,
        "bytes": len(answer.body),
        "first_ms": round(done.first_ms, 3),
        **done.seen.as_json(),
        "rolled_back": True,
        "plans": await plans(state, done) if explain else None,
    }


def _lines(found: dict[str, Any]) -> list[str]:
    said, firm, first = _said(found), found["tenant"] or "-", f"{found['first_ms']:.1f} ms"
    database = f"database {found['database_ms']:.1f} ms in {len(found['queries'])} statements"
    drawing, waiting = (
        f"drawing {found['render_ms']:.1f} ms",
        f"waiting for a connection {found['pool_wait_ms']:.1f} ms",
    )
    return [
        f"{found['method']} {found['path']} -> {said}, {found['total_ms']:.1f} ms, {found['bytes']} bytes",
        f"route {found['route'] or 'none'}; as {found['as']}, firm {firm}; cold {first}; nothing of it is kept",
        f"{database}; {drawing}; {waiting}; the rest {found['other_ms']:.1f} ms",
        *(f"cache {one['family']}: {one['outcome']}" for one in found["cache"]),
        "",
        f"{'#':>3} {'at ms':>8} {'ms':>8} {'rows':>6}  caller, statement",
        *(line for step in found["queries"] for line in _step(step)),
        *(_repeat(one) for one in found["repeated"]),
        *(line for plan in found["plans"] or [] for line in _plan(plan)),
    ]


def _said(found: dict[str, Any]) -> str:
    more = found["code"] or (f"to {found['location']}" if found["location"] else "")
    return f"{found['status']} {more}".rstrip()


def _step(step: dict[str, Any]) -> list[str]:
    rows = "-" if step["rows"] is None else step["rows"]
    head = f"{step['n']:>3} {step['at_ms']:>8.1f} {step['ms']:>8.2f} {rows:>6}  "
    return [f"{head}{step['caller'] or '-'}", f"{'':>29}{_short(step['statement'])}"]


def _repeat(one: dict[str, Any]) -> str:
    mark = "N+1" if one["n_plus_one"] else "repeated"
    return f"! {mark}: {one['times']} x, {one['ms']:.1f} ms, {one['caller'] or '-'}: {_short(one['statement'])}"


def _plan(plan: dict[str, Any]) -> list[str]:
    head = ["", f"plan of the statement of {plan['ms']:.2f} ms: {_short(plan['statement'])}"]
    return [*head, *(f"  {line}" for line in plan["plan"]), *(f"! {mark}" for mark in plan["marks"])]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
