"""One process of ours that reads no events, says nothing, or logs nothing: another takes its place, then it ends."""

import asyncio
import os
import re
import socket
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, Final

from zena.kit.supervisor.leftovers import born
from zena.operate.queue.standing import workers
from zena.operate.realtime.processes import processes
from zena.operate.remedies.contract import Plan, Refused, Remedy, Risk, Target, Tell
from zena.operate.restarting import Note, NotReplaced, replaced, supervisors
from zena.operate.symptoms.contract import Look
from zena.operate.symptoms.e1_lost_errors import IN_PROCESS
from zena.operate.symptoms.w2_silent_sockets import stuck_after

#: How symptoms name a process.
_SCOPE: Final = re.compile(r"(\w+) (\S+) pid (\d+)")
#: Jobs whose worker has not said for so long that it goes on with them.
_HELD: Final = """
SELECT count(*) FROM queue.pgqueuer WHERE status = 'picked' AND heartbeat < now() - interval '10 seconds'
"""
_SILENT: Final = """
SELECT facts ? 'ended' OR seen_at < now() - interval '35 seconds' FROM ops.heartbeat WHERE process = $1::text::uuid
"""
_SAID: Final = """
SELECT process, facts -> 'live' AS live FROM ops.heartbeat
 WHERE role = $1 AND host = $2 AND pid = $3 AND seen_at > now() - interval '35 seconds' AND NOT facts ? 'ended'
 ORDER BY started_at DESC LIMIT 1
"""


async def _plan(look: Look, target: Target) -> Plan:
    one, touches = await _STUCK[target.symptom.id](look, target)
    if one["host"] != socket.gethostname():
        raise Refused(f"{_named(one)} is on another machine than this: plan and apply it there")
    if one["pid"] == os.getpid():
        raise Refused(f"{_named(one)} would end itself while it looks what came of it: apply it from a command")
    name, _, note = _kept(look.settings.data_dir, one)
    grace = "what it does may end first, for half a minute at most"
    effects = [f"start another {name} beside pid {one['pid']}", f"when that takes work, end pid {one['pid']}: {grace}"]
    acts_on = {
        "process": str(one["process"]), "role": one["role"], "host": one["host"], "pid": one["pid"], "name": name,
        "supervisor": note["pid"],
    }  # fmt: skip
    return Plan(acts_on, effects, {"processes": 1} | touches, "none: who was connected comes again elsewhere")


async def _deaf(look: Look, target: Target) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the process that does not read the events, and whom it keeps waiting."""
    many = target.reading.facts.get("scopes", ())
    if many:
        raise Refused(f"{len(many)} processes at once: look at the database, `zena db activity --all`; not at them")
    found = _SCOPE.fullmatch(target.scope)
    if found is None or not target.reading.facts.get("stuck"):
        raise Refused(f"no process is stuck: {target.reading.says}")
    role, host, pid = found[1], found[2], int(found[3])
    there = [one for one in await processes(look.conn) if (one["role"], one["host"], one["pid"]) == (role, host, pid)]
    if not there:
        raise Refused(f"{target.scope} gives no sign of life any more")
    live = there[-1]["live"]
    return there[-1], {"live connections": live["connections"], "firms": live["tenants"]}


async def _mute(look: Look, _: Target) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the worker that has said nothing for longest and was not replaced, of this machine if there is one."""
    silent = [one | {"role": "worker"} for one in await workers(look.conn) if not one["alive"] and not one["replaced"]]
    if not silent:
        raise Refused("no worker has fallen silent: `zena queue workers`")
    here = [one for one in silent if one["host"] == socket.gethostname()]
    first = max(here or silent, key=lambda one: one["silent_for"])
    return first, {"jobs it holds": int(await look.conn.fetchval(_HELD) or 0)}


async def _unheard(look: Look, target: Target) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the process whose errors cannot be read."""
    found = _SCOPE.fullmatch(target.scope)
    if found is None or not target.reading.over:
        raise Refused(f"no process logs in vain: {target.reading.says}")
    row = await look.conn.fetchrow(_SAID, found[1], found[2], int(found[3]))
    if row is None:
        raise Refused(f"{target.scope} gives no sign of life any more")
    return {"process": row["process"], "role": found[1], "host": found[2], "pid": int(found[3])}, {}


#: How the one to replace is found, by symptom.
_STUCK: Final = {"W2": _deaf, "Q1": _mute, "E1": _unheard}


def _kept(folder: Path, one: Mapping[str, Any]) -> tuple[str, Path, Note]:
    """Return a process's name, and the note of the supervisor that keeps it."""
    for path, note in supervisors(folder):
        for name, pid in note["crew"].items():
            if pid == one["pid"]:
                return name, path, note
    if born(one["pid"]) is None:
        raise Refused(f"{_named(one)} is gone already; whoever keeps it starts another: `zena status`")
    raise Refused(
        f"no `zena serve` of {folder} keeps {_named(one)}: what systemd or a container keeps is restarted there"
    )


def _named(one: Mapping[str, Any]) -> str:
    return f"{one['role']} {one['host']} pid {one['pid']}"


async def _apply(look: Look, acts_on: Mapping[str, Any], tell: Tell) -> None:
    name, path, note = _kept(look.settings.data_dir, acts_on)
    try:
        done = await asyncio.to_thread(replaced, path, note, name)
    except NotReplaced as why:
        raise Refused(str(why)) from why
    for line in done.lines:
        tell(line)


async def _gone(look: Look, acts_on: Mapping[str, Any]) -> bool:
    """Tell whether it ended, and whoever has its place gives signs of life and reads on."""
    if born(acts_on["pid"]) is not None and await look.conn.fetchval(_SILENT, acts_on["process"]) is False:
        return False
    notes = [note for _, note in supervisors(look.settings.data_dir) if note["pid"] == acts_on["supervisor"]]
    successor = notes[0]["crew"].get(acts_on["name"]) if notes else None
    if successor in {None, acts_on["pid"]}:
        return False
    said = await look.conn.fetchrow(_SAID, acts_on["role"], acts_on["host"], successor)
    live = (said["live"] or {}) if said else {"tail_seconds": inf}
    return float(live.get("tail_seconds") or 0.0) <= stuck_after(look.pace)


_ANSWERS: Final = frozenset({("W2", "stuck_reader"), ("Q1", "worker_frozen"), *(("E1", cause) for cause in IN_PROCESS)})
REPLACE_PROCESS: Final = Remedy(
    "replace_process", "start another process beside one that is stuck, and end that one", _ANSWERS,
    Risk.INFRASTRUCTURE, _plan, _apply, _gone,
)  # fmt: skip
