"""A round of trying on schedule, in a process of its own: it takes a core for some seconds, and the worker goes on."""

import asyncio
import os
import sys
from typing import Final

from zena.kit.db import dialled
from zena.kit.exits import Exit
from zena.kit.logs import get_logger
from zena.kit.queue import JobWork
from zena.operate.isolation.store import begin, is_due, last
from zena.settings import Role

log = get_logger(__name__)

_COMMAND: Final = (sys.executable, "-P", "-m", "zena", "tenant", "verify-isolation", "--json")
#: It gives way to everything else.
_NICE: Final = 10


class NotTried(Exception):  # noqa: N818 - says what is
    """The round came to no end; what the command said last."""


async def look_for_leaks(work: JobWork) -> None:
    """Try one probe firm on the other, if that is due. What it finds is kept, and whoever watches opens T2 for it."""
    settings, now = work.state.settings, work.state.clock.now()
    if settings.secret_url(Role.OPS) is None:
        log.warning("not done: ZENA_DATABASE_OPS_URL is not set", job=work.name)
        return
    async with dialled(settings.dsn(Role.OPS), "zena-ops", patience=50) as conn:
        if not await is_due(conn, now):
            return
    code, said = await _run()
    if code == Exit.FINDING:
        log.error("firms are not held apart, or not everything could be tried: zena tenant verify-isolation")
    elif code not in {Exit.OK, Exit.RETRY}:
        async with dialled(settings.dsn(Role.OPS), "zena-ops", patience=50) as conn:
            there = await last(conn)
            if there is None or there["at"] < now:  # it did not even begin: not to be tried anew every few minutes
                await begin(conn, now)
        raise NotTried(said)


async def _run() -> tuple[int, str]:
    """Run the command; it ends with this process's job, however that ends."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, preexec_fn=lambda: os.nice(_NICE)
    )
    try:
        _, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, complaint.decode(errors="replace").strip()[-300:]
