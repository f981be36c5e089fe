"""What came of comparing found values with their rows, as counts."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from zena.kit.cache.shadow import ShadowSeen
from zena.operate.telemetry.recorder import Recorder

#: Fields that are named of a value that is wrong, and the longest label.
_FIELDS, _LABEL = 5, 200
COMPARED: Final = "cache.shadow"
DIFFERS: Final = "cache.differs"


def counting(recorder: Recorder) -> ShadowSeen:
    """Return a listener that counts a comparison by family; one that differs is `bad`, and counted once more.

    That count's label is family:cause:firm:fields, the fields with commas.
    """

    def seen(family: str, tenant: UUID, cause: str, fields: Sequence[str]) -> None:
        recorder.observe(COMPARED, family, 0, bad=bool(cause))
        if cause:
            recorder.observe(DIFFERS, f"{family}:{cause}:{tenant}:{','.join(fields[:_FIELDS])}"[:_LABEL], 0)

    return seen
