"""`zena status`: is it well? One screen: processes, database, speed, errors, queue, cache, promises."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zena.cli import ask_as, say, settings
from zena.kit.clock import SystemClock
from zena.operate.cli.spans import ago
from zena.settings import Role

if TYPE_CHECKING:
    from zena.kit.db import Raw

app = typer.Typer(invoke_without_command=True, add_completion=False)


@app.callback()
def status(minutes: Annotated[int, typer.Option(min=1, max=60, help="How far to look back.")] = 15) -> None:
    """Show on one screen whether the installation is well.

    Example: zena status --minutes 5
    """
    now = SystemClock().now()
    found = ask_as(Role.OPS, lambda conn: _read(conn, now, timedelta(minutes=minutes)))
    found["backup"] = _backup(now, found["backup"])
    found["logs"] = _logs(now)
    say(found, "\n".join(_lines(found)))


async def _read(conn: "Raw", now: datetime, window: timedelta) -> dict[str, Any]:
    from zena.operate.backup.records import noted
    from zena.operate.backup.standing import slots
    from zena.operate.incidents.listing import listed
    from zena.operate.integrity.store import last
    from zena.operate.isolation import store as rounds
    from zena.operate.metrics.report import report
    from zena.operate.notices.standing import in_short
    from zena.operate.sentinel.errand import STAGE
    from zena.operate.sentinel.journey import STAGES
    from zena.operate.sentinel.store import stages
    from zena.operate.symptoms.catalogue import SYMPTOMS
    from zena.operate.telemetry.rollup import count_objectives
    from zena.operate.tuning import store as tuning
    from zena.operate.watch.now import cost, silent

    await count_objectives(conn, now - window, now)
    server = await conn.fetchrow(
        "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
        " current_setting('max_connections')::int AS most"
    )
    log = await conn.fetchrow(
        "SELECT extract(epoch FROM now() - last_archived_time)::float8 AS age, failed_count AS failed,"
        " last_failed_time > last_archived_time AS failing FROM pg_stat_archiver"
        " WHERE current_setting('archive_mode') = 'on'"
    )
    there = await stages(conn)
    tried = await rounds.last(conn)
    return await report(conn, now, window) | {
        "server": dict(server),
        "incidents": await listed(conn, closed=False, since=now, limit=100),
        "alerts": await in_short(conn, settings().alert_channels, now),
        "watch": await cost(conn, settings().pace),
        "unwatched": await silent(conn, SYMPTOMS, now, settings().pace),
        "sentinel": [there[stage] for stage in (*STAGES, STAGE) if stage in there],
        "tuning": await tuning.listed(conn),
        "integrity": await last(conn),
        "isolation": tried | {"doubt": rounds.doubt(tried, now)} if tried else None,
        "log": dict(log) if log else None,
        "slots": await slots(conn),
        "backup": await noted(conn),
    }


def _backup(now: datetime, noted: dict[str, Any]) -> dict[str, Any] | None:
    """Return the newest backup that was restored for proof and is known of no fault, or None.

    What lies in the directory counts; where it cannot be seen from here, what a worker saw in it.
    """
    from zena.operate.backup.shelf import kept
    from zena.operate.backup.standing import PROMISE

    there = {one.path.name: (one.at, one.size) for one in kept(settings().backups_path)} or noted["proved"]
    good = {name: facts for name, facts in there.items() if name not in noted["faults"]}
    if not good:
        return None
    name, (at, size) = max(good.items(), key=lambda one: one[1])
    age, faults = now - at, len(there) - len(good)
    told = {"archive": name, "age_seconds": round(age.total_seconds()), "late": age > PROMISE, "bytes": size}
    return told | {"kept": len(good), "faults": faults}


def _logs(now: datetime) -> dict[str, Any] | None:
    """Return what the log files hold on this machine; None without any."""
    from zena.operate.logs.reading import files_of

    folder = settings().logs_path
    kept = [path.stat() for path in folder.glob("*.log*")]
    if not files_of(folder):
        return None
    age = round(now.timestamp() - max(one.st_mtime for one in kept))
    return {"folder": str(folder), "bytes": sum(one.st_size for one in kept), "files": len(kept), "age_seconds": age}


def _lines(found: dict[str, Any]) -> list[str]:
    http, database, cache, queue = (found[name] for name in ("http", "database", "cache", "queue"))
    waiting = sum(row["jobs"] for row in queue["waiting"] if row["status"] == "queued")
    held = sum(row["jobs"] for row in queue["waiting"] if row["status"] == "failed")
    return [
        f"last {found['window']['seconds'] / 60:.0f} minutes",
        *(_process(one) for one in found["processes"]),
        _server(found["server"]),
        f"requests   {_timed(http)}, {http['bad']} failed, {http['slow']} slow",
        *(f"  {name:<10} {_timed(figures)}" for name, figures in http["families"].items()),
        f"statements {_timed(database)}, {database['slow']} slow",
        f"cache      {_share(cache['hit_rate'])} of {cache['lookups']} look-ups",
        f"queue      {waiting} waiting, {held} held; {queue['count']} run, {queue['bad']} failed",
        f"incidents  {_incidents(found['incidents'])}",
        f"alerts     {_alerts(found['alerts'])}",
        f"watch      {_cost(found['watch'])}",
        *(f"watch      NOT WATCHED {line}" for line in found["unwatched"]),
        f"sentinel   {_walked(found['sentinel'])}",
        *(f"tuning     {one['name']} {one['value']:g} until {one['until']:%m-%d %H:%M}" for one in found["tuning"]),
        f"integrity  {_whole(found['integrity'])}",
        f"isolation  {_apart(found['isolation'])}",
        f"backup     {_backup_line(found['backup'])}",
        f"logs       {_logs_line(found['logs'], found['processes'])}",
        *([f"log        {_log_line(found['log'])}"] if found["log"] else []),
        *(f"log        {_slot_line(one)}" for one in found["slots"]),
        *_attempts(found["security"]["cross_tenant"]),
        *(f"slo        {one['id']}: {one['state']}" for one in found["slo"] if one["state"] not in {"ok", "no_data"}),
    ]


def _incidents(found: list[dict[str, Any]]) -> str:
    told = [f"{one['id']} {one['symptom']} ({one['cause'] or 'not explained yet'})" for one in found]
    return f"{len(found)} OPEN: {', '.join(told[:5])}: `zena incident list`" if found else "none open"


def _alerts(alerts: dict[str, Any]) -> str:
    if not alerts["channels"]:
        return "NOBODY WOULD BE TOLD: no channel is set, `zena alert list` says how"
    told = [", ".join(alerts["channels"])]
    told += [f"FAILING {name}: {error}" for name, error in alerts["failing"].items()]
    told += [f"{alerts['given_up']} GIVEN UP within a day"] if alerts["given_up"] else []
    told += [f"{alerts['waiting']} wait"] if alerts["waiting"] else []
    told += [f"MUTED {one['symptom'] or 'all'} until {one['until']:%Y-%m-%d %H:%M} UTC" for one in alerts["muted"]]
    return "; ".join(told)


def _cost(watch: dict[str, float]) -> str:
    if not watch["took_ms"]:
        return "nobody has looked within the hour"
    spent = f"{watch['database_ms']:.0f} ms of the database"
    return f"a round takes {watch['took_ms']:.0f} ms, {spent}: {watch['share']:.2%} of a core"


def _attempts(made: dict[str, Any]) -> list[str]:
    grave = f", {made['high']} grave" if made["high"] else ""
    told = f"security   {made['attempts']} attempts on other firms{grave}: `zena logs --grep cross-tenant`"
    return [told] if made["attempts"] else []


def _server(server: dict[str, Any]) -> str:
    connections = f"{server['connections']} of {server['most']} connections"
    return f"database   PostgreSQL {server['version']}, {server['bytes'] / 1e6:.0f} MB, {connections}"


def _whole(last: dict[str, Any] | None) -> str:
    if last is None:
        return "never looked at: `zena db check-integrity`"
    faults = [
        f"{last[name]} {word}" for name, word in (("findings", "BROKEN"), ("unfinished", "UNFINISHED")) if last[name]
    ]
    told = f"{', '.join(faults)}: `zena db check-integrity`" if faults else "ok"
    return f"{told}; {last['checks']} checks at {last['finished_at']:%Y-%m-%d %H:%M}"


def _walked(stages: list[dict[str, Any]]) -> str:
    if not stages:
        return "never tried: a worker does once a minute, unless ZENA_SENTINEL is none"
    failed = [f"{one['stage']} FAILS since {one['since']:%H:%M:%S}: {one['says']}" for one in stages if not one["ok"]]
    told = ", ".join(f"{one['stage']} {one['ms']:.0f} ms" for one in stages if one["ok"])
    return f"{'; '.join([*failed, told])} at {max(one['at'] for one in stages):%H:%M:%S}"


def _apart(last: dict[str, Any] | None) -> str:
    if last is None:
        return "never tried: `zena tenant verify-isolation`"
    faults = [f"{len(last['findings'])} LEAKS"] if last["findings"] else []
    faults += [last["doubt"] if faults else f"NO DATA, {last['doubt']}"] if last["doubt"] else []
    told = f"{', '.join(faults)}: `zena tenant verify-isolation`" if faults else "ok"
    return f"{told}; {last['routes']} routes in {last['took_s']:.0f} s at {last['at']:%Y-%m-%d %H:%M}"


def _backup_line(backup: dict[str, Any] | None) -> str:
    if backup is None:
        return "NONE: `zena backup create` makes one"
    late = "LATE, " if backup["late"] else ""
    age, size = f"{backup['age_seconds'] / 3600:.1f} h old", f"{backup['bytes'] / 1e6:.1f} MB"
    faults = f"; {backup['faults']} DAMAGED: `zena backup list`" if backup["faults"] else ""
    return f"{late}{age}, restored for proof, {size}, {backup['kept']} kept{faults}"


def _logs_line(logs: dict[str, Any] | None, processes: list[dict[str, Any]]) -> str:
    size = "no files"
    if logs:
        size = f"{logs['bytes'] / 1e6:.1f} MB in {logs['files']} files, last written {ago(logs['age_seconds'])}"
    alive = [one for one in processes if one["alive"]]
    failing = [f"{one['role']} pid {one['pid']}: {one['log_trouble']}" for one in alive if one["log_trouble"]]
    dropped = sum(one["dropped_lines"] for one in alive)
    return "; ".join(
        [
            *(f"NOT WRITTEN by {one}" for one in failing),
            f"{size}; {dropped} lines dropped",
        ]
    )


def _log_line(log: dict[str, Any]) -> str:
    age = "nothing kept yet" if log["age"] is None else f"kept up to {log['age']:.0f} s ago"
    return f"FAILING, {age}: see the server's own log" if log["failing"] else age


def _slot_line(one: dict[str, Any]) -> str:
    if one["state"] == "lost":
        return f"{one['name']} LOST: it was away for too long, make the slot and a copy of the server anew"
    behind = "nothing fetched yet" if one["behind_bytes"] is None else f"{one['behind_bytes'] / 1e6:.1f} MB behind"
    return f"{one['name']} {'fetches' if one['active'] else 'AWAY'}, {behind}"


def _process(one: dict[str, Any]) -> str:
    state = "up since" if one["alive"] else "SILENT, started"
    where, started = f"{one['host']} pid {one['pid']}", f"{one['started_at']:%Y-%m-%d %H:%M:%S}"
    return f"{one['role']:<10} {where} {state} {started}, {one['release']}"


def _timed(figures: dict[str, Any]) -> str:
    if not figures["count"]:
        return "none"
    times = ", ".join(f"{name} {figures[f'{name}_ms']:.1f} ms" for name in ("p50", "p95", "p99"))
    return f"{figures['count']}, {times}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
