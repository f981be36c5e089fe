"""A task beside a block: it ends with the block, and one that fails says so at once and harms nobody."""

import asyncio

import pytest

from zena.kit.beside import beside


async def test_it_runs_during_the_block_and_is_ended_with_it() -> None:
    steps: list[str] = []

    async def work() -> None:
        steps.append("began")
        try:
            await asyncio.sleep(60)
        finally:
            steps.append("ended")

    async with beside(work()):
        await asyncio.sleep(0.01)
    assert steps == ["began", "ended"]


async def test_one_that_fails_is_logged_when_it_does_and_the_block_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise KeyError("gone")

    async with beside(work()):
        await asyncio.sleep(0.01)
        assert "a task of this process has ended" in caplog.text
    assert caplog.text.count("a task of this process has ended") == 1
