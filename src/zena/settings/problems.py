"""What is wrong with the configuration, told all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Where each setting is described, relative to the documentation's root.
DOCUMENT = "docs/operate/settings.md"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused setting: the variable, what was found (secrets masked) and what is wanted."""

    variable: str
    found: str
    wanted: str

    @property
    def doc(self) -> str:
        """The paragraph that describes the setting."""
        return f"{DOCUMENT}#{self.variable.lower()}" if self.variable.startswith("ZENA_") else DOCUMENT

    def __str__(self) -> str:
        return f"{self.variable}: found {self.found}; wanted {self.wanted} ({self.doc})"


class SettingsError(Exception):
    """The installation cannot start with this configuration (exit 78). `problems` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
