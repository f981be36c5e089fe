"""Starting a coroutine without a task for as long as it does not have to wait; asyncio can do so from 3.12 on.

Most frames go into a socket's buffer at once. With a task for each, telling thousands of listeners of one event costs
nearly twice the time.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def start(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
    """Run until the end or the first wait; return the task that goes on from there, None when there is nothing left.

    The first part runs outside any task: `work` must not ask for the current one before it has waited.
    """
    try:
        awaited = work.send(None)
    except StopIteration:
        return None
    return asyncio.create_task(_go_on(_Rest(work, awaited)))


async def _go_on(rest: "_Rest") -> None:
    await rest


class _Rest:
    """What is left of a coroutine that has begun to wait for something."""

    def __init__(self, work: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            while True:
                try:
                    answer = yield self._awaited
                except BaseException as error:  # noqa: BLE001 - handed on to where it belongs
                    self._awaited = self._work.throw(error)
                else:
                    self._awaited = self._work.send(answer)
        except StopIteration:
            return
