"""`zena why slow`: where the time of one request went."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import CommandError, ask_as, say, settings
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

_KEPT = (
    "kept are slow, failed, refused and repetitive requests and one in a hundred of the others, for about a week,"
    " from some ten seconds after they ended; `zena requests slow` lists them"
)


def slow(
    request_id: Annotated[str, typer.Argument(help="From X-Request-Id, a log line, or `zena requests slow`.")],
) -> None:
    """Say where the time of a kept request went, compared with what is usual for its route.

    Without a database the files of the processes are read, which keep the last slow and failed ones.

    Example: zena why slow 01a2152a659476c0999d4a77724aa5dc
    """
    found, away = _from_database(request_id)
    found = found or _from_files(request_id)
    if found is None:
        more = f"; the database does not answer ({away})" if away else ""
        raise CommandError(f"request {request_id} was not kept{more}: {_KEPT}", Exit.UNAVAILABLE if away else Exit.DATA)
    say(found, "\n".join(_lines(found)))


def _from_database(request_id: str) -> tuple[dict[str, Any] | None, str]:
    """Return the record, or why the database could not be asked."""
    import asyncpg

    from zena.kit.embedded import EmbeddedError

    async def work(conn: "Raw") -> dict[str, Any] | None:
        from zena.operate.reasons.slowness import slowness

        return await slowness(conn, request_id)

    try:
        return ask_as(Role.OPS_READ, work), ""
    except (EmbeddedError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return None, str(error) or type(error).__name__


def _from_files(request_id: str) -> dict[str, Any] | None:
    from datetime import datetime

    from zena.operate.reasons.slowness import told
    from zena.operate.telemetry.ring import read_rings

    for one in read_rings(settings().data_dir / "telemetry"):
        if one.get("request_id") == request_id:
            return told({**one, "at": datetime.fromisoformat(one["at"])})
    return None


def _lines(found: dict[str, Any]) -> list[str]:
    facts, usual = found["facts"], found["usual"]
    head = (
        f"{found['method']} {found['route']} -> {found['status']}, {found['ms']:g} ms, {found['at']:%Y-%m-%d %H:%M:%S}"
    )
    return [
        head,
        f"kept because: {found['kept_for']}; firm {found['tenant'] or '-'}; {facts['queries']} statements",
        *(
            f"{name.removesuffix('_ms'):<10} {part['ms']:>9g} ms  {part['share']:.0%}"
            for name, part in found["parts"].items()
        ),
        *(_statement(one) for one in facts["statements"]),
        *(f"cache miss {name} x{times}" for name, times in found["misses"].items()),
        *([_usual(usual)] if usual else ["what is usual is not known: this comes from the file of its process"]),
        *(
            [f"loop late  {found['loop_lag_ms']:g} ms at most in that minute"]
            if found["loop_lag_ms"] is not None
            else []
        ),
        *(f"change     {one['at']:%H:%M:%S} {one['kind']}: {one['what']}" for one in found["changes"][:5]),
        f"verdict    {found['verdict'] or 'nothing stands out'}",
    ]


def _statement(one: dict[str, Any]) -> str:
    text = (one.get("text") or one["fingerprint"])[:100]
    return f"  {one['times']:>4} x {one['ms']:>9g} ms  {one['caller'] or '-'}  {text}"


def _usual(usual: dict[str, Any]) -> str:
    if not usual["count"]:
        return f"usual      nothing measured of this route in the {usual['hours']:g} h before"
    times = ", ".join(f"{name} {usual[f'{name}_ms']:g} ms" for name in ("p50", "p95"))
    fast = usual["fast"]
    more = (
        f"; fast ones: {fast['ms']:g} ms, {fast['queries']:g} statements, {fast['database_ms']:g} ms in them"
        if fast.get("n")
        else ""
    )
    return f"usual      {times} over {usual['count']} in {usual['hours']:g} h{more}"
