"""Runs one job: its time limit, its retries, and the end of jobs that kill their worker."""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import UUID

from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Context, Job
from structlog.contextvars import bound_contextvars

from zena.kit.errors import Maintenance
from zena.kit.faults import classify_fault
from zena.kit.logs import get_logger
from zena.kit.queue.enqueue import TENANT_HEADER
from zena.kit.queue.payload import unpack_arguments
from zena.kit.queue.queries import WorkerQueries
from zena.kit.queue.work import JobWork, PostponeJob, RejectJob
from zena.kit.registry import JobSpec

if TYPE_CHECKING:
    from zena.kit.state import State

log = get_logger("zena.jobs")

#: Marks a failure that has its line here; pgqueuer would write it, and count it, once more.
_TOLD = "told_by_us"
logging.getLogger("pgqueuer").addFilter(lambda line: not line.exc_info or _TOLD not in vars(line.exc_info[1]))

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 600.0
_AFTER_MAINTENANCE = timedelta(seconds=5)


@dataclass
class JobExecutor(AbstractEntrypointExecutor):
    """pgqueuer's executor for one registered job. A job that cannot end well is held, never dropped."""

    state: "State"
    spec: JobSpec
    queries: WorkerQueries
    slots: asyncio.Semaphore

    async def execute(self, job: Job, context: Context) -> None:
        work = self._work(job)
        started, waited, outcome = perf_counter(), _waited(job, self.state.clock.now()), "done"
        # Every line that the job writes, in whichever channel, names it.
        with bound_contextvars(job=job.id, job_name=self.spec.name, tenant=work.tenant and str(work.tenant)):
            log.debug("job started", attempt=work.attempt)
            try:
                await self._run(work, job, context)
            except BaseException as ended:
                outcome = _outcome(ended)
                _log_failure(outcome, ended, work)
                raise
            finally:
                took = perf_counter() - started
                self.state.telemetry.job(self.spec.name, outcome, took, waited)
                if outcome == "done":
                    log.info("job done", ms=round(took * 1000, 1), waited_ms=round(waited * 1000, 1))

    async def _run(self, work: JobWork, job: Job, context: Context) -> None:
        if work.attempt > work.attempts:
            raise RejectJob(f"{self.spec.name} was started {work.attempt - 1} times and never finished")
        try:
            with context.cancellation:
                async with asyncio.timeout(self.spec.timeout):
                    await self.spec.run(work, **unpack_arguments(job.payload))
        except asyncio.CancelledError:
            # pgqueuer takes a cancelled task for a job that nobody wants any more, and deletes it.
            raise RetryRequested(timedelta(0), "the worker was stopped") from None
        except PostponeJob as postponed:
            self.queries.postponed.add(job.id)
            raise RetryRequested(postponed.delay, str(postponed)) from postponed
        except RejectJob:
            raise
        except Exception as error:
            if isinstance(classify_fault(error), Maintenance):
                self.queries.postponed.add(job.id)  # no failure of its own
                raise RetryRequested(_AFTER_MAINTENANCE, "changes are switched off") from error
            if work.is_last:
                raise
            raise RetryRequested(retry_delay(work.attempt), f"{type(error).__name__}: {error}") from error

    def _work(self, job: Job) -> JobWork:
        tenant = (job.headers or {}).get(TENANT_HEADER)
        return JobWork(
            state=self.state,
            job_id=job.id,
            name=self.spec.name,
            tenant=UUID(str(tenant)) if tenant else None,
            attempt=job.attempts + self.queries.picks.pop(job.id, 1),
            attempts=self.spec.attempts,
            slots=self.slots,
        )


def _waited(job: Job, now: datetime) -> float:
    """Return how long a job stood ready before it was taken, seconds."""
    return max(0.0, (now - max(job.created, job.execute_after)).total_seconds())


def _outcome(ended: BaseException) -> str:
    if not isinstance(ended, RetryRequested):
        return "held"
    return "postponed" if isinstance(ended.__cause__, PostponeJob) else "retried"


def _log_failure(outcome: str, ended: BaseException, work: JobWork) -> None:
    """Say how a job ended that is not done: an error where somebody has to look, which is where it is held."""
    facts = {"attempt": work.attempt, "attempts": work.attempts}
    if outcome == "held":
        log.error("job held", code=work.name, **facts, exc_info=ended)
        vars(ended)[_TOLD] = True
    elif outcome == "retried":
        log.warning("job failed, tried again", **facts, reason=str(ended)[:300])
    else:
        log.info("job postponed", **facts, reason=str(ended)[:300])


def retry_delay(attempt: int) -> timedelta:
    """Return how long to wait after a failed attempt: 1 s, 2, 4 ... 10 min, spread by a quarter."""
    delay = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
    return timedelta(seconds=delay * random.uniform(0.75, 1.25))  # noqa: S311 - spreading load, not a secret


def executor_for(state: "State", spec: JobSpec, queries: WorkerQueries, slots: asyncio.Semaphore) -> JobExecutor:
    """Return the executor of a registered job; what fails for good is held with its traceback."""
    parameters = EntrypointExecutorParameters(
        concurrency_limit=0, func=spec.run, accepts_context=True, on_failure="hold"
    )
    return JobExecutor(parameters=parameters, state=state, spec=spec, queries=queries, slots=slots)
