"""What a pair of twins is: one verb told twice, as a form sends it and as JSON."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.sides import Side

First = Callable[[Side], Awaitable[None]]
Form = Mapping[str, str | Sequence[str]]
Pair = tuple[Form, Any]

PROJECT, TASK = "/api/v1/app/projects/{project_id}", "/api/v1/app/tasks/{task_id}"


@dataclass(frozen=True, slots=True)
class Twin:
    """One verb. Routes are "METHOD /path/{name}"; a word of a body that begins with $ is looked up in the side.

    `by` is a role, "nobody", or "half": between password and code. `first` is what has to be there before, done on
    both sides alike. `bad` are pairs that both have to refuse with the same sentence.
    """

    page: str
    api: str
    form: Form = field(default_factory=dict)
    json: Any = None
    by: str = "owner"
    first: First | None = None
    bad: tuple[Pair, ...] = ()
    files: Any = None

    def __str__(self) -> str:
        return f"{self.page} = {self.api}"


def both(**fields: str | Sequence[str]) -> Pair:
    """Return what a form and JSON say in the same words."""
    return fields, fields


def did(method: str, path: str, body: Any = None) -> First:
    async def step(side: Side) -> None:
        await side.tell(method, path, body)

    return step
