"""What the installation does for itself on schedule, as zena_ops."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from zena.kit.db import Raw, dialled
from zena.kit.logs import get_logger
from zena.kit.queue import JobWork
from zena.kit.registry import CronSpec, JobSpec, Registry
from zena.operate.backup import records
from zena.operate.backup.base import keeps_log, make_base
from zena.operate.backup.making import create
from zena.operate.backup.refusal import NothingThere, Refused
from zena.operate.backup.wal import seal
from zena.operate.crossings import checking as crossings
from zena.operate.incidents import retention
from zena.operate.integrity import store
from zena.operate.integrity.look import eyes, look
from zena.operate.isolation.scheduled import look_for_leaks
from zena.operate.sentinel.errand import KIND, errand
from zena.operate.telemetry import rollup
from zena.settings import Role, load_backup_keys

#: With the 30 s after which the server lays down its log at the latest, less than a minute is lost with the machine.
_SEAL_EVERY = 20

log = get_logger(__name__)

#: A job may run for 15 minutes; the result must be stored within them.
_LOOK_WITHIN: Final = 780.0


def operations(work: JobWork) -> AbstractAsyncContextManager[Raw]:
    """Open a connection as the operations role."""
    return dialled(work.state.settings.dsn(Role.OPS), "zena-ops", patience=50)


def _may(work: JobWork) -> bool:
    """Tell whether this installation has given the worker the operations role; say so in the log where it has not."""
    if work.state.settings.secret_url(Role.OPS) is None:
        log.warning("not done: ZENA_DATABASE_OPS_URL is not set", job=work.name)
        return False
    return True


async def roll_up(work: JobWork) -> None:
    if not _may(work):
        return
    async with operations(work) as conn, conn.transaction():
        await rollup.roll_up(conn, work.state.clock.now())


async def keep_house(work: JobWork) -> None:
    if not _may(work):
        return
    async with operations(work) as conn:
        await rollup.make_partitions(conn)
        await rollup.drop_old(conn, work.state.clock.now())
        await retention.drop_old(conn, work.state.clock.now())


async def look_for_crossings(work: JobWork) -> None:
    if _may(work):
        await crossings.check(work.state)


async def integrity(work: JobWork) -> None:
    if not _may(work):
        return
    async with eyes(work.state) as seen:
        report = await look(seen, within=_LOOK_WITHIN)
        await store.keep(seen.conn, report, "nightly")
        await store.drop_old(seen.conn, work.state.clock.now())
    log.log(logging.INFO if report.ok else logging.ERROR, "integrity", **report.in_short())


async def back_up(work: JobWork) -> None:
    with suppress(NothingThere):
        await create(work.state.settings, work.state.clock.now())


async def back_up_server(work: JobWork) -> None:
    if keeps_log(work.state.settings):
        await make_base(work.state.settings, work.state.clock.now())


async def keep_log(work: JobWork) -> None:
    """Note what lies in the directory of backups; where the log is kept, seal for a minute what is laid down of it."""
    settings = work.state.settings
    if not keeps_log(settings):
        await note_backups(work)
        return
    ring = load_backup_keys(settings, make=True)
    for _ in range(60 // _SEAL_EVERY):
        with suppress(Refused):  # another worker does it
            await asyncio.to_thread(seal, settings, ring)
        await note_backups(work)
        await asyncio.sleep(_SEAL_EVERY)


async def note_backups(work: JobWork) -> None:
    if work.state.settings.secret_url(Role.OPS) is None:
        return  # the backup itself fails then, and is held
    async with operations(work) as conn:
        await records.note(conn, work.state.settings)


def register(registry: Registry) -> None:
    registry.job(JobSpec(KIND, errand))
    registry.crons["operate.rollup"] = CronSpec("operate.rollup", "* * * * *", roll_up)
    registry.crons["operate.crossings"] = CronSpec("operate.crossings", "* * * * *", look_for_crossings)
    registry.crons["operate.house"] = CronSpec("operate.house", "23 * * * *", keep_house)
    registry.crons["operate.integrity"] = CronSpec("operate.integrity", "41 19 * * *", integrity)
    registry.crons["operate.isolation"] = CronSpec("operate.isolation", "3-58/5 * * * *", look_for_leaks)
    registry.crons["operate.backup"] = CronSpec("operate.backup", "41 1 * * *", back_up, timeout=6 * 3600.0)
    registry.crons["operate.base"] = CronSpec("operate.base", "11 3 * * *", back_up_server, timeout=6 * 3600.0)
    registry.crons["operate.log"] = CronSpec("operate.log", "* * * * *", keep_log)
