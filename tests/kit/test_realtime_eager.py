"""Coroutines that are started without a task: the same results, waits, errors and cancellations as with one."""

import asyncio

import pytest

from zena.kit.realtime.eager import start


async def test_what_need_not_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    assert start(work()) is None
    assert done == [1]


async def test_what_waits_goes_on_in_a_task() -> None:
    done: list[object] = []
    signal = asyncio.Event()

    async def work() -> None:
        done.append("begun")
        await signal.wait()
        await asyncio.sleep(0.01)
        done.append(await asyncio.wait_for(asyncio.sleep(0, "ended"), 1))

    task = start(work())
    assert task is not None
    assert done == ["begun"]
    await asyncio.sleep(0.01)
    signal.set()
    await task
    assert done == ["begun", "ended"]


async def test_a_bare_yield_to_the_loop_is_a_wait_too() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    task = start(work())
    assert task is not None
    await task


async def test_errors_come_out_where_they_happen() -> None:
    async def fail(seconds: float | None) -> None:
        if seconds is not None:
            await asyncio.sleep(seconds)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start(fail(None))
    task = start(fail(0.01))
    assert task is not None
    with pytest.raises(ZeroDivisionError):
        await task


async def test_cancelling_reaches_the_work_which_may_tidy_up() -> None:
    tidied = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            tidied.set()

    task = start(work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tidied.is_set()
