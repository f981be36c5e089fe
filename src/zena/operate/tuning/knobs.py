"""What may be set for a while, within which bounds, and what it is otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zena.insight.facade import FAMILIES, LIFE
from zena.kit.realtime import Limits

if TYPE_CHECKING:
    from zena.settings import Settings

Tuned = Mapping[str, float]

#: Figures may be as old as this where somebody changes rows without an event; an event makes them worthless at once.
LONGEST_LIFE: Final = 300.0
_LIFE: Final = "cache.life."
FIRM_SOCKETS: Final = "live.firm_sockets"
STRANGERS: Final = "live.strangers"


@dataclass(frozen=True, slots=True)
class Knob:
    """One of them: `least` to `most` in `unit`; `setting` names the one that says what it is otherwise, if any."""

    name: str
    title: str
    unit: str
    least: float
    most: float
    ordinary: float
    setting: str = ""

    def otherwise(self, settings: "Settings") -> float:
        """Return what it is while nobody has set it."""
        return float(getattr(settings, self.setting)) if self.setting else self.ordinary


KNOBS: Final = {
    one.name: one
    for one in (
        *(
            Knob(f"{_LIFE}{family}", f"how long figures of the family {family} are kept", "s", 5, LONGEST_LIFE, LIFE)
            for family in FAMILIES
        ),
        Knob(FIRM_SOCKETS, "live connections of one firm", "", 10, 1_000, 50, "websocket_connections"),
        Knob(STRANGERS, "sockets of one process that have not said who they are", "", 50, 2_000, Limits().strangers),
    )
}


def life(family: str) -> Knob | None:
    """Return the knob of a family of figures; None where its life cannot be set."""
    return KNOBS.get(f"{_LIFE}{family}")


def lives(tuned: Tuned) -> dict[str, float]:
    """Return the seconds for which families are kept, by name, where somebody set them."""
    return {name.removeprefix(_LIFE): value for name, value in tuned.items() if name.startswith(_LIFE)}


def limits(settings: "Settings", tuned: Tuned) -> Limits:
    """Return the limits of live connections."""
    firm, strangers = (KNOBS[name] for name in (FIRM_SOCKETS, STRANGERS))
    return Limits(
        connections_per_tenant=int(tuned.get(firm.name, firm.otherwise(settings))),
        strangers=int(tuned.get(strangers.name, strangers.otherwise(settings))),
    )
