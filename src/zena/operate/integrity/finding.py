"""What a look at the data found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

#: So many broken objects are named; the rest are counted.
NAMED: Final = 5
#: So many findings are listed; one broken tenant after another says nothing new.
LISTED: Final = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something broken. `count` objects are; `sample` names some; `repair` is what --repair would do, None: nothing."""

    check: str
    subject: str
    count: int = 1
    sample: Sequence[str] = ()
    tenant: UUID | None = None
    repair: str | None = None
    advice: str = ""


@dataclass(slots=True)
class Report:
    """The result of one look. `unfinished` names checks that could not be done: not found whole, not found broken."""

    run_id: UUID
    started_at: datetime
    finished_at: datetime
    checks: int = 0
    findings: list[Finding] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether everything was looked at and nothing is broken."""
        return not self.findings and not self.unfinished

    def in_short(self) -> dict[str, Any]:
        return {"checks": self.checks, "findings": len(self.findings), "unfinished": len(self.unfinished)}

    def as_json(self) -> dict[str, Any]:
        made: dict[str, Any] = msgspec.to_builtins(self)
        hidden = max(0, len(self.findings) - LISTED)
        return made | {"findings": made["findings"][:LISTED], "ok": self.ok, "findings_not_listed": hidden}
