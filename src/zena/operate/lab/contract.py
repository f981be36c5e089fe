"""What a fault fills in."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zena.operate.lab.place import Place


class Way(StrEnum):
    """How somebody asks: as a browser does, leaving before the answer, taking it slowly, or listening for events.

    `hear` listens where sockets are opened.
    """

    GET = "GET"
    POST = "POST"
    LEAVE = "leave"
    SIP = "sip"
    LISTEN = "listen"
    HEAR = "hear"
    SOCKET = "socket"


class Mends(StrEnum):
    """When a fault's remedy helps: applied while it lasts, or once it is over; or it is mended without being asked."""

    ASKED = "asked"
    AFTERWARDS = "afterwards"
    UNASKED = "unasked"


#: What people do meanwhile: way and path, in which {tenant} and {task} stand for those of the lab.
Asked = tuple[Way, str]
EVERYDAY: tuple[Asked, ...] = (
    (Way.GET, "/dashboard"),
    (Way.GET, "/api/v1/app/projects"),
    (Way.GET, "/api/v1/app/tasks?limit=20"),
)
#: Somebody opens a socket as a browser does, says who they are, and goes.
SOCKET: Asked = (Way.SOCKET, "/ws")
LIVE: Asked = (Way.LISTEN, "/api/v1/app/events?channel=tenant:{tenant}:tasks")
HEARD: Asked = (Way.HEAR, LIVE[1])


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, real while the block of `broken` lasts.

    `symptom` has to be opened with `cause` as the likeliest; without a symptom it is a sham, which looks like one and
    must open nothing. `traffic` is what people ask for meanwhile. `also` are symptoms that it opens rightly, beside
    those that fold into each other. `needs` names a program without which it cannot be tried. `heal` undoes what a lab
    that was killed in the middle left behind, and does no harm where nothing is. `fresh` wants an installation of its
    own: what it breaks is remembered for longer than a trial takes. What `mends` afterwards finds what `broken` left,
    until `heal`.
    """

    id: str
    title: str
    symptom: str = ""
    cause: str = ""
    traffic: tuple[Asked, ...] = EVERYDAY
    also: frozenset[str] = frozenset()
    needs: str = ""
    broken: Callable[[Place], AbstractAsyncContextManager[Any]] = nullcontext
    heal: Callable[[Place], Awaitable[None]] | None = None
    fresh: bool = False
    mends: Mends = Mends.ASKED
