"""A job that does nothing, queued like any other: whether the one before was done, and how long that took.

Where nobody works no job waits, and nothing would tell that none is done. This one waits then, and Q1 sees it.
"""

from typing import TYPE_CHECKING, Final

from zena.kit.db import Raw
from zena.kit.queue import JobWork, enqueue
from zena.kit.uow import unit_of_work
from zena.operate.sentinel.journey import Outcome

if TYPE_CHECKING:
    from zena.kit.state import State

STAGE: Final = "job"
KIND: Final = "operate.errand"
_PAUSED: Final = "SELECT EXISTS (SELECT FROM queue.paused WHERE entrypoint = $1)"
_TOOK: Final = """
SELECT extract(epoch FROM max(created) FILTER (WHERE status = 'successful') - min(created))::float8 * 1000
  FROM queue.pgqueuer_log
 WHERE job_id = (SELECT job_id FROM queue.pgqueuer_log WHERE entrypoint = $1 AND status = 'successful'
                  ORDER BY id DESC LIMIT 1)
"""


async def errand(work: JobWork) -> None:
    """Do nothing, successfully."""


async def send(state: "State", conn: Raw) -> Outcome | None:
    """Queue the next errand as any job is, and return what came of the one before; None where nothing is known of one.

    While its kind is paused none is queued: it would not wait for want of anybody who works.
    """
    if await conn.fetchval(_PAUSED, KIND):
        return None
    async with unit_of_work(state.db) as session:
        queued = await enqueue(session, None, KIND, dedupe_key="sentinel")
    if queued is None:
        return Outcome(STAGE, ok=False, ms=0.0, says="the errand before is not done yet: `zena queue status`")
    took: float | None = await conn.fetchval(_TOOK, KIND)
    return None if took is None else Outcome(STAGE, ok=True, ms=round(took, 1))
