"""What a fault fills in."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from zena.operate.lab.place import Place

#: What people do meanwhile: method and path; SOCKET is no method of HTTP.
Asked = tuple[str, str]
EVERYDAY: tuple[Asked, ...] = (
    ("GET", "/dashboard"),
    ("GET", "/api/v1/app/projects"),
    ("GET", "/api/v1/app/tasks?limit=20"),
)
#: Somebody opens a socket as a browser does, says who they are, and goes.
SOCKET: Asked = ("SOCKET", "/ws")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, real while the block of `broken` lasts.

    `symptom` has to be opened with `cause` as the likeliest; without a symptom it is a sham, which looks like one and
    must open nothing. `traffic` is what people ask for meanwhile. `also` are symptoms that it opens rightly, beside
    those that fold into each other. `needs` names a program without which it cannot be tried. `heal` undoes what a lab
    that was killed in the middle left behind, and does no harm where nothing is.
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
