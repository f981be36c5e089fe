"""B01, B09: whoever asks for whatever with whosever ids, in any order: no word of another firm, no change in it."""

import os
import random
from collections import Counter

import asyncpg
import httpx
import pytest

from tests.conformance.crawl import SAFE, routes
from tests.conformance.scene import furnished
from tests.conformance.walk import Step, Walk
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State

WALKS = 50 if os.environ.get("ZENA_FULL_SIZE") else 1
STEPS = 2_000
#: Of the first walk: the same for every commit. Each of the others has its own each night.
SEED = 20_260_105
#: What naming a thing of another firm may be answered with; sign-in and confirmation are asked before.
HIDDEN = frozenset({401, 403, 404, 410})
#: What the walk must be able to do in its own firms, or it proves nothing: shares of all steps.
OWN_WORDS, TAKEN = 0.12, 0.1


@pytest.mark.proof
@pytest.mark.parametrize("number", range(WALKS))
async def test_B09_no_step_of_a_random_walk_meets_another_firm(
    state: State, http: httpx.AsyncClient, urls: ClusterUrls, number: int
) -> None:
    seed = random.SystemRandom().randrange(2**32) if number else SEED
    ops = await asyncpg.connect(urls.ops)
    try:
        scenes = [await furnished(state, http) for _ in range(3)]
        walk = Walk(random.Random(seed), scenes, routes(state, safe=True) + routes(state, safe=False), ops)  # noqa: S311 - a walk to be repeated
        seen: Counter[str] = Counter()
        for place in range(STEPS):
            seen.update(await _checked(walk, f"seed {seed}, step {place}"))
    finally:
        await ops.close()
    print(f"seed {seed}, {STEPS} steps: {dict(seen)}")
    assert seen["own words"] >= OWN_WORDS * STEPS, "the walk must see what is its own, or it sees nothing"
    assert seen["taken"] >= TAKEN * STEPS, "the walk must be able to change things, or it tries nothing"


async def _checked(walk: Walk, where: str) -> list[str]:
    """Take one step and hold it against the promise; return what it was good for."""
    before = await walk.heads()
    step = await walk.step()
    after = await walk.heads()
    moved = {mark for mark in before if after[mark] != before[mark]}
    assert step.answer.status_code < 500, f"{where}, {step}: {step.answer.text[:600]}"
    assert walk.leaks(step) == set(), f"{where}, {step}"
    assert moved <= {step.scene.mark}, f"{where}, {step} changed another firm"
    if step.reaches_out:
        assert step.answer.status_code in HIDDEN or _asks_who(step), f"{where}, {step}: {step.answer.text[:600]}"
    taken = step.answer.status_code < 400 and step.route.method not in SAFE
    return [
        str(step.answer.status_code),
        *(["own words"] if step.scene.mark in step.answer.text.lower() else []),
        *(["taken"] if taken else []),
        *(["changed"] if moved else []),
        *(["reached out"] if step.reaches_out else []),
    ]


def _asks_who(step: Step) -> bool:
    return str(step.answer.headers.get("location", "")).startswith(("/sign-in", "/confirm"))
