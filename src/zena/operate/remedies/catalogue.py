"""Every remedy there is."""

from typing import Final

from zena.operate.remedies.closing import READ_ONLY
from zena.operate.remedies.contract import Remedy
from zena.operate.remedies.fences import QUARANTINE, RESTORE_FENCE
from zena.operate.remedies.figures import CLEAR_FAMILY
from zena.operate.remedies.indexes import REBUILD_INDEX
from zena.operate.remedies.jobs import DISCARD_HELD, RETRY_FAILED
from zena.operate.remedies.keys import RESTORE_KEYS
from zena.operate.remedies.logs import MEND_LOGS
from zena.operate.remedies.processes import REPLACE_PROCESS
from zena.operate.remedies.queue import PAUSE_KIND, RESUME_QUEUE
from zena.operate.remedies.rights import RESTORE_RIGHTS
from zena.operate.remedies.sessions import CANCEL_BLOCKER, END_IDLE_TRANSACTION
from zena.operate.remedies.store import EVICT_OLD
from zena.operate.remedies.tables import ANALYZE, CREATE_INDEX
from zena.operate.remedies.tuning import LENGTHEN_LIFE, RAISE_LIMIT

REMEDIES: Final[tuple[Remedy, ...]] = (
    ANALYZE, CANCEL_BLOCKER, CLEAR_FAMILY, CREATE_INDEX, DISCARD_HELD, END_IDLE_TRANSACTION, EVICT_OLD,
    LENGTHEN_LIFE, MEND_LOGS, PAUSE_KIND, QUARANTINE, RAISE_LIMIT, READ_ONLY, REBUILD_INDEX, REPLACE_PROCESS,
    RESTORE_FENCE, RESTORE_KEYS, RESTORE_RIGHTS, RESUME_QUEUE, RETRY_FAILED,
)  # fmt: skip
BY_NAME: Final = {remedy.id: remedy for remedy in REMEDIES}


def proposed(symptom: str, cause: str) -> list[Remedy]:
    """Return the remedies for a cause of a symptom, the mildest first."""
    return sorted((one for one in REMEDIES if (symptom, cause) in one.answers), key=lambda one: (one.risk, one.id))
