"""SQL text and what is bound to it, kept together: values never become part of the text."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Bound:
    """Collects the values of one statement; `mark` returns the placeholder to write in its place."""

    values: list[Any] = field(default_factory=list)

    def mark(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"
