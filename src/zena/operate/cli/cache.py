"""`zena cache`: is it reached, does it help, what lies in it, and forgetting what lies in it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zena.cli import CommandError, ask_as, say
from zena.kit.clock import SystemClock
from zena.kit.exits import Exit
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw
    from zena.operate.cache.places import Place

app = typer.Typer(help="The cache: reach, hit rates, contents, clearing.", no_args_is_help=True, add_completion=False)

#: Below this share of hits, with at least so many look-ups, a family is worth a look.
_GOOD: Final = 0.8
_ENOUGH: Final = 200
_OWN: Final = (
    "each process keeps values in its own memory, which no command can see into"
    " (ZENA_REDIS_URL would name a shared cache)"
)

#: The settings of the last start, secrets masked.
_SERVERS: Final = "SELECT value ->> 'ZENA_REDIS_URL' FROM ops.seen WHERE name = 'settings'"


@app.command()
def ping() -> None:
    """Write, read and delete a value in the shared cache; exit 69 with the reason when that does not work.

    Users see no error then: each process computes what it needs.

    Example: zena cache ping
    """
    if _url() is None:
        say({"backend": "memory"}, f"nothing to reach: {_OWN}")
        return
    found = _ask_shared("ping")
    evicts = found["maxmemory_policy"] != "noeviction" or not found["maxmemory"]
    most = f"{found['maxmemory'] / 1e6:.1f} MB" if found["maxmemory"] else "no limit"
    used = f"{(found['used_memory'] or 0) / 1e6:.1f} MB of {most}"
    lines = [
        f"ok: {found['redis_version']}, {found['role']}, slowest answer {found['slowest_ms']} ms",
        f"memory {used}, {found['maxmemory_policy']}, {found['evicted_keys']} evicted",
        *([] if evicts else ["! it will refuse writes when full: set maxmemory-policy to allkeys-lru"]),
    ]
    say({"backend": "redis", **found}, "\n".join(lines))
    raise typer.Exit(Exit.OK if evicts else Exit.FINDING)


@app.command()
def stats(minutes: Annotated[int, typer.Option(min=1, max=60, help="How far to look back.")] = 15) -> None:
    """Show by family how many look-ups were hits, and why the others were not, measured over all processes.

    Exit 1 when a family with 200 look-ups has less than 80% hits.

    Example: zena cache stats --minutes 60
    """
    from zena.operate.metrics.report import report

    now, window = SystemClock().now(), timedelta(minutes=minutes)
    found = ask_as(Role.OPS_READ, lambda conn: report(conn, now, window, ["cache"]))["cache"]
    low = [one["family"] for one in found["families"] if one["lookups"] >= _ENOUGH and one["hit_rate"] < _GOOD]
    lines = [f"{'family':<14}{'look-ups':>9}{'hits':>7}  why not"]
    for one in found["families"]:
        why = ", ".join(f"{reason} {count}" for reason, count in sorted(one["misses"].items())) or "-"
        lines.append(f"{one['family']:<14}{one['lookups']:>9}{one['hit_rate']:>7.0%}  {why}")
    if not found["families"]:
        lines = [f"no look-up in the last {minutes} minutes"]
    lines.append("kept in Redis" if _url() else f"measured; {_OWN}")
    lines += [f"! {family} has less than {_GOOD:.0%} hits" for family in low]
    say({"backend": "redis" if _url() else "memory", **found, "low": low}, "\n".join(lines))
    raise typer.Exit(Exit.FINDING if low else Exit.OK)


@app.command()
def get(key: Annotated[str, typer.Argument(help="kpi:FIRM:FAMILY, or a key in full.")]) -> None:
    """Show what is kept under a key: kpi:FIRM:FAMILY stands for the firm's figures of this moment.

    FIRM is a short name or an id; FAMILY is dashboard, projects, tasks or team. Exit 1 when nothing is kept.

    Example: zena cache get kpi:meridian-works:dashboard
    """
    from zena.operate.cache.places import NoSuchPlace, opened, place_spelled

    now = SystemClock().now()
    try:
        place = ask_as(Role.OPS, lambda conn: place_spelled(conn, key, now))
    except NoSuchPlace as error:
        raise CommandError(str(error), Exit.DATA) from error
    wanted = place.keys if place else [key]
    if _url() is None:
        _tell_own(place, key)
        return
    kept = {
        one: opened(text, now)
        for one, text in zip(wanted, _ask_shared("values", wanted), strict=True)
        if text is not None
    }
    missing = [f"{one}: not kept; the next look computes it" for one in wanted if one not in kept]
    say(kept, "\n".join([*(_entry(one, entry) for one, entry in kept.items()), *missing]))
    raise typer.Exit(Exit.OK if kept else Exit.FINDING)


@app.command()
def keys(
    pattern: Annotated[str, typer.Argument(help="As in Redis: * for anything, ? for one character.")] = "kpi:*",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1000,
) -> None:
    """List keys of the shared cache by SCAN, which stops nobody, unlike KEYS.

    Example: zena cache keys 'kpi:*:dashboard:*'
    """
    from zena.kit.logs import redact

    if _url() is None:
        raise CommandError(f"{_OWN}; `zena cache stats` shows how often values are found", Exit.UNAVAILABLE)
    found, more = _ask_shared("keys", pattern, limit)
    lines = [str(redact(None, "", {"key": key})["key"]) for key in found] or ["(none)"]
    say({"keys": found, "more": more}, "\n".join([*lines, *([f"and more: the limit is {limit}"] if more else [])]))


@app.command()
def clear(
    tenant: Annotated[str | None, typer.Option(help="One firm, by short name or id; all otherwise.")] = None,
    family: Annotated[
        str | None, typer.Option(help="dashboard, projects, tasks or team; kpi and none are all.")
    ] = None,
) -> None:
    """Let figures be computed afresh at the next look, once per firm and family however many look at once.

    Nothing is deleted: the keys change, and what was kept is never read again and ends within a minute. So it is
    safe while people work, and with a Redis that others use too.

    Example: zena cache clear --tenant meridian-works --family dashboard
    """
    import asyncpg

    from zena.insight.facade import NAMES
    from zena.kit.changes import record
    from zena.operate.cache.clearing import clear as run
    from zena.operate.cache.places import NoSuchPlace, firm_called

    if family not in {None, "kpi", *NAMES}:
        raise CommandError(f"there is no family {family!r}: {', '.join(NAMES)}, or kpi for all", Exit.USAGE)
    families = list(NAMES) if family in {None, "kpi"} else [str(family)]

    async def work(conn: "Raw") -> int:
        firm = (await firm_called(conn, tenant))["id"] if tenant is not None else None
        done = 0
        try:
            async for done in run(conn, tenant=firm, families=families):  # noqa: B007 - the last one counts
                pass
        except asyncpg.LockNotAvailableError as error:
            raise CommandError(
                f"{done} firms are done; the next is being written to: again later", Exit.RETRY
            ) from error
        await record(conn, "remedy", "cache clear", after={"firms": done, "families": families, "tenant": tenant})
        return done

    try:
        firms = ask_as(Role.OPS, work)
    except NoSuchPlace as error:
        raise CommandError(str(error), Exit.DATA) from error
    say({"firms": firms, "families": families}, f"{', '.join(families)}: computed at the next look; firms: {firms}")


def _url() -> str | None:
    """Return where the shared cache is, None without one; refuse where the server has one and this command has not."""
    from zena.cli.shell import settings

    found = settings().redis_url
    if found is None:
        _check_that_server_has_none()
    return found.get_secret_value() if found else None


def _check_that_server_has_none() -> None:
    try:
        there = ask_as(Role.OPS, lambda conn: conn.fetchval(_SERVERS), timeout=5)
    except Exception:  # noqa: BLE001 - whatever keeps the database from telling, nothing speaks against it then
        return
    if there:
        raise CommandError(
            f"the server keeps values in {there}, and this command does not know: set ZENA_REDIS_URL as for the server",
            Exit.CONFIG,
        )


def _ask_shared(question: str, *arguments: Any) -> Any:
    """Put a question of `zena.operate.cache.shared` to the shared cache."""
    import asyncio

    try:
        from zena.operate.cache import shared
    except ImportError as error:
        raise CommandError("a Redis cache needs its client: pip install 'zena[redis]'", Exit.CONFIG) from error

    async def run() -> Any:
        async with shared.shared(_url() or "") as redis:
            return await getattr(shared, question)(redis, *arguments)

    try:
        return asyncio.run(run())
    except shared.SharedCacheDown as error:
        raise CommandError(
            f"the shared cache {error}; users see no error, each process computes", Exit.UNAVAILABLE
        ) from error


def _tell_own(place: "Place | None", key: str) -> None:
    if place is None:
        raise CommandError(f"{_OWN}; `zena cache stats` shows how often values are found", Exit.UNAVAILABLE)
    found = {"backend": "memory", "firm": place.firm, "version": place.version, "keys": place.keys}
    say(found, f"{key} is looked for under\n" + "\n".join(f"  {one}" for one in place.keys) + f"\n{_OWN}")


def _entry(key: str, entry: dict[str, Any]) -> str:
    import msgspec

    if not entry["ours"]:
        return f"{key}: {entry['bytes']} bytes that are not ours; the next look replaces them"
    value = msgspec.json.format(msgspec.json.encode(entry["value"]), indent=2).decode()
    left = f"{entry['seconds_left']:.0f} s left" if entry["seconds_left"] > 0 else "over"
    return f"{key}: version {entry['version']}, computed {entry['age_seconds']:.0f} s ago, {left}\n{value}"
