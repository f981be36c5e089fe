"""What a worker does for the installation beside its jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from zena.operate.alerts.teller import telling
from zena.operate.orders.carrying import carrying
from zena.operate.remedies.automatic import mend
from zena.operate.remedies.interrupted import finish_interrupted
from zena.operate.sentinel.walking import Sentinel
from zena.operate.watch.leader import leading

if TYPE_CHECKING:
    from zena.kit.state import State


@asynccontextmanager
async def tending(state: "State") -> AsyncIterator[None]:
    """During the block watch for symptoms, mend what may be mended unasked, try the installation, carry out, tell."""
    beside = (partial(mend, state), Sentinel(state).go)
    async with leading(state, finish_interrupted, *beside), carrying(state), telling(state):
        yield
