"""What a worker does for the installation beside its jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from zena.operate.alerts.teller import telling
from zena.operate.orders.carrying import carrying
from zena.operate.remedies.automatic import mend
from zena.operate.watch.leader import leading

if TYPE_CHECKING:
    from zena.kit.state import State


@asynccontextmanager
async def tending(state: "State") -> AsyncIterator[None]:
    """Watch for symptoms and mend what may be mended unasked, carry out orders, tell of incidents, during the block."""
    async with leading(state, partial(mend, state)), carrying(state), telling(state):
        yield
