"""What a round of trying has found."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from zena.operate.integrity.finding import Finding

_SHOWN: Final = 40


@dataclass(slots=True)
class Verdict:
    """`findings` are leaks and open fences; `unfinished` is what could not be tried, which proves nothing."""

    routes: int = 0
    requests: int = 0
    reached: int = 0
    tables: int = 0
    fences: int = 0
    findings: list[Finding] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings and not self.unfinished

    def found(self, check: str, subject: str, *how: str, advice: str = "") -> None:
        self.findings.append(Finding(check, subject, max(1, len(how)), how[:5], advice=advice))

    def as_json(self) -> dict[str, Any]:
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made | {"ok": self.ok}

    def lines(self) -> list[str]:
        """Return what is printed: findings first, the sum last."""
        told = []
        for one in self.findings[:_SHOWN]:
            told += [f"! {one.check}: {one.subject}", *(f"    {how}" for how in one.sample)]
            told += [f"    -> {one.advice}"] if one.advice else []
        if len(self.findings) > _SHOWN:
            told.append(f"... and {len(self.findings) - _SHOWN} more: --json lists them")
        told += [f"? not tried: {what}" for what in self.unfinished]
        tried = f"{self.routes} routes in {self.requests} requests, {self.tables} tables, {self.fences} fences"
        verdict = "nothing of one firm is reached from the other" if self.ok else f"{len(self.findings)} finding(s)"
        return [*told, f"{verdict}; tried {tried}"]
