"""Held jobs are run again by the remedy that answers failing jobs, once what they failed of is mended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.operate.test_queue_remedies import KIND, Bench, all_held, bench, ops, put, work
from zena.kit.clock import SystemClock
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.operate.remedies.contract import Refused, Target
from zena.operate.remedies.jobs import DISCARD_HELD, RETRY_FAILED
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


async def test_jobs_that_nobody_can_run_are_deleted_once_a_copy_lies_in_a_file(
    ops: asyncpg.Connection, bench: Bench, work: Callable[[], Any], state: State, tmp_path: Path
) -> None:
    look = Look(ops, state.settings.model_copy(update={"data_dir": tmp_path}), SystemClock().now())
    target = Target(BY_ID["Q2"], KIND, Reading(KIND, over=True, calm=False, says="they fail"))
    bench.broken = RuntimeError("the code is wrong")
    work()
    await put(ops, 4)
    await all_held(ops, 4)
    with pytest.raises(Refused, match="mend what it failed of, then `zena runbook plan retry_failed`"):
        await DISCARD_HELD.plan(look, target)
    bench.broken = ValueError("row 17 of 'a' is bad")
    unreadable = await put(ops, 3)
    await all_held(ops, 7)
    plan = await DISCARD_HELD.plan(look, target)
    assert (plan.acts_on["jobs"], plan.touches, DISCARD_HELD.risk) == (unreadable, {"jobs": 3, "firms": 1}, "R3")
    (tmp_path / "exports").write_text("no folder")
    lines: list[str] = []
    with pytest.raises(Refused, match="nothing was deleted"):
        await DISCARD_HELD.apply(look, plan.acts_on, lines.append)
    assert not await DISCARD_HELD.gone(look, plan.acts_on)
    (tmp_path / "exports").unlink()
    await DISCARD_HELD.apply(look, plan.acts_on, lines.append)
    [copy] = (tmp_path / "exports").glob("queue-discarded-*.jsonl")
    assert lines == [f"3 deleted; a copy of each is in {copy.name}, under exports in the data directory"]
    assert [json.loads(line)["id"] for line in copy.read_text().splitlines()] == unreadable
    assert await DISCARD_HELD.gone(look, plan.acts_on)
    assert len(await all_held(ops, 4)) == 4, "what failed of the code waits for it to be mended"
