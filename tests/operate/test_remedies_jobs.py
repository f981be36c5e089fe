"""Held jobs are run again by the remedy that answers failing jobs, once what they failed of is mended."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.operate.test_queue_remedies import KIND, Bench, all_held, bench, ops, put, work
from zena.kit.clock import SystemClock
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.remedies.contract import Refused, Target
from zena.operate.remedies.jobs import RETRY_FAILED
from zena.operate.symptoms.catalogue import BY_ID
from zena.operate.symptoms.contract import Look, Reading

pytestmark = pytest.mark.proof
__all__ = ("bench", "ops", "work")


async def test_held_jobs_are_run_again(
    ops: asyncpg.Connection,
    bench: Bench,
    work: Callable[[], Any],
    state: State,
    urls: ClusterUrls,
) -> None:
    look = Look(ops, state.settings, SystemClock().now())
    target = Target(BY_ID["Q2"], KIND, Reading(KIND, over=True, calm=False, says="they fail"))
    with pytest.raises(Refused, match="no job"):
        await RETRY_FAILED.plan(look, target)
    work()
    await put(ops, 3)
    await all_held(ops, 3)
    plan = await RETRY_FAILED.plan(look, target)
    assert plan.touches["jobs"] == 3
    lines: list[str] = []
    await RETRY_FAILED.apply(look, plan.acts_on, lines.append)
    assert "a job failed again in the same way" in lines[-1]
    assert not await RETRY_FAILED.gone(look, plan.acts_on)
    bench.broken = None
    await RETRY_FAILED.apply(look, plan.acts_on, lines.append)
    assert lines[-1] == "3 done, 0 still held"
    assert await RETRY_FAILED.gone(look, plan.acts_on)
