"""Cancelling a task exactly where it waits for the nth time, as a stopping server or a closing socket would."""

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Cancelled(Generic[T]):
    """Awaits `work`; when it waits for the `at`th time, its task is cancelled. `waits` tells how often it waited."""

    work: Coroutine[Any, Any, T]
    at: int = 0
    waits: int = 0

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self.work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waiting = inner.throw(error) if error else inner.send(None)
            except StopIteration as done:
                result: T = done.value
                return result
            error = None
            self.waits += 1
            if self.waits == self.at:
                self._cancel_soon()
            try:
                yield waiting
            except BaseException as thrown:  # noqa: BLE001 - handed on to the work it is meant for
                error = thrown

    @staticmethod
    def _cancel_soon() -> None:
        task = asyncio.current_task()
        if task is not None:
            task.get_loop().call_soon(task.cancel)


async def waits_of(work: Coroutine[Any, Any, Any]) -> int:
    """Run something to its end; return how often it waited."""
    counted = Cancelled(work)
    await counted
    return counted.waits
