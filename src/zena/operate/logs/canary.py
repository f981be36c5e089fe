"""Whether an error that is logged can be read afterwards: a line is sent the whole way, and looked for where it ends.

What is configured says nothing of what happens: a handler that somebody took away, a thread that ended, a file that
something empties raise no error anywhere. (operations.md, E1: the dead man's canary)
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

from zena.kit.clock import Clock
from zena.kit.ids import new_id
from zena.kit.logs import get_logger, log_silence, log_state
from zena.kit.logs.channels import APP, CANARY
from zena.operate.logs.reading import Wanted, newest

#: Between two lines, and within which one has to be found.
EVERY: Final = timedelta(seconds=60)
GRACE: Final = timedelta(seconds=15)
#: Files are read back so far and no further: what was sent a moment ago does not stand deeper.
_BACK: Final = timedelta(minutes=10)
#: So many in a row are not found before it is said.
_MISSES: Final = 2

log = get_logger(CANARY)


class Canary:
    """The lines of one process that writes files. `trouble` tells why its errors cannot be read, None while they can.

    `pace` scales its times. Where the files say themselves why they take nothing, that is said and this is silent.
    """

    def __init__(self, clock: Clock, pace: float = 1.0) -> None:
        self.trouble: str | None = None
        self._clock, self._every, self._grace = clock, EVERY * pace, GRACE * pace
        self._folder: Path | None = None
        self._word, self._sent_at, self._missed = "", clock.now() - self._every, 0

    async def look(self) -> None:
        """Look for the line sent last when its time is over, and send the next when that is due."""
        fares = log_state()
        self._folder = fares.folder or self._folder  # whoever takes the handler away takes the files with it
        if self._folder is None or fares.trouble:
            self._word, self._missed, self.trouble = "", 0, None
            return
        waited = self._clock.now() - self._sent_at
        if self._word and waited >= self._grace:
            wanted = Wanted(channels=(APP,), text=self._word, since=self._sent_at - _BACK, canaries=True)
            self._judge(found=await asyncio.to_thread(_found, self._folder, wanted))
        if not self._word and (self._missed or waited >= self._every):
            self._word, self._sent_at = new_id().hex, self._clock.now()
            log.error("canary: whether errors can be read", word=self._word)

    def _judge(self, *, found: bool | None) -> None:
        self._word = ""
        if found is None:
            return
        self._missed = 0 if found else self._missed + 1
        if found:
            self.trouble = None
        elif self._missed >= _MISSES:
            self.trouble = log_silence() or f"what is written to {APP}.log is not in it: something empties it"


def _found(folder: Path, wanted: Wanted) -> bool | None:
    """Tell whether the line is there; None where this process cannot look, for want of a file descriptor."""
    try:
        return bool(newest(folder, wanted, 1))
    except OSError:
        return None
