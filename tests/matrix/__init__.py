"""Who may call what. Each slice keeps its rows in tests/<slice>/matrix.py; a route without a row fails the build."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CALLERS = ("owner", "admin", "pm", "member", "viewer", "client", "other_tenant", "anonymous")
STAFF = "owner admin pm member viewer"
EVERYONE = f"{STAFF} client"

World = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One route, and the status each caller gets.

    `path` is the route's own template, e.g. `/api/v1/app/projects/{project_id:uuid}`; its parameters are filled from
    the world by name. `allow` names the roles that get `ok`; the other five roles get `deny`. `other` is what an owner
    of another firm gets: 404 where the path names an object, else `ok`. `json`, `form` and `files` make the body.
    `headers` may use the world too (If-Match). `by` overrides single callers.
    """

    method: str
    path: str
    allow: str = ""
    ok: int = 200
    deny: int = 403
    other: int | None = None
    anonymous: int | None = None
    json: Callable[[World], Any] | None = None
    form: Callable[[World], Mapping[str, str]] | None = None
    files: Callable[[World], Any] | None = None
    query: str = ""
    headers: Callable[[World], Mapping[str, str]] | None = None
    by: Mapping[str, int] = field(default_factory=dict)

    def expected(self, caller: str) -> int:
        if caller in self.by:
            return self.by[caller]
        if caller == "anonymous":
            return self._anonymous()
        if caller == "other_tenant":
            return self.other if self.other is not None else 404 if "{" in self.path else self.ok
        return self.ok if caller in self.allow.split() else self.deny

    def _anonymous(self) -> int:
        if self.anonymous is not None:
            return self.anonymous
        return 401 if self.path.startswith("/api/") else 303  # pages send people to sign-in, whatever they did
