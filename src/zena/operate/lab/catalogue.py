"""Every fault that can be injected, in the order of the runbook; shams last."""

from typing import Final

from zena.operate.lab.contract import Fault
from zena.operate.lab.faults import (
    cache,
    database,
    fences,
    figures,
    indexes,
    link,
    live,
    outage,
    processes,
    promises,
    queue,
    shams,
    sockets,
)
from zena.operate.lab.place import Place
from zena.operate.symptoms.catalogue import SYMPTOMS

_ORDER: Final = {symptom.id: place for place, symptom in enumerate(SYMPTOMS)}
_PARTS: Final = (
    database,
    figures,
    link,
    outage,
    indexes,
    processes,
    queue,
    cache,
    live,
    sockets,
    fences,
    promises,
    shams,
)
FAULTS: Final[tuple[Fault, ...]] = tuple(
    sorted(
        (fault for part in _PARTS for fault in part.FAULTS),
        key=lambda fault: _ORDER.get(fault.symptom, len(_ORDER)),
    )
)
BY_ID: Final = {fault.id: fault for fault in FAULTS}


async def heal_all(place: Place) -> None:
    """Undo whatever a lab that was killed left behind; nothing happens where nothing is left."""
    await place.let_go()
    for heal in dict.fromkeys(fault.heal for fault in FAULTS if fault.heal is not None):
        await heal(place)
