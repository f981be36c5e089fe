"""Jobs: queued in the transaction that needs them, run by a worker that binds their tenant, never lost."""

from zena.kit.queue.enqueue import enqueue
from zena.kit.queue.work import JobWork, PostponeJob, RejectJob

__all__ = ["JobWork", "PostponeJob", "RejectJob", "enqueue"]
