"""One firm tries everything on the other: every route, list, channel, cached value and table."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from litestar.routes import HTTPRoute

from zena.kit.db import Raw
from zena.kit.state import State
from zena.operate.isolation.bodies import ADDRESSED, SEARCHES, SMUGGLED, UPLOAD, UPLOADS, filled
from zena.operate.isolation.caller import Answer
from zena.operate.isolation.probes import Probe
from zena.operate.isolation.verdict import Verdict
from zena.operate.tenants.tables import Table

_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_SAFE: Final = frozenset({"GET", "HEAD"})
_CACHED: Final = "*"
_STREAM: Final = "/api/v1/app/events"
_OK, _REDIRECT, _FAULT, _UNREAD = 200, 300, 500, frozenset({400, 405, 415, 422, 429})
_ENTER: Final = "SELECT set_config('app.tenant', $1, true), set_config('app.user', '', true)"
_PEOPLE: Final = "(SELECT user_id FROM membership WHERE tenant_id = $1)"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str

    @property
    def names(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    @property
    def text(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, ids: Mapping[str, str]) -> str:
        return _PARAMETER.sub(lambda match: ids[match[1]], self.path)


def routes_of(app: Any) -> Iterator[Route]:
    """Yield every HTTP route of the application, by path."""
    found = {
        Route(str(method), route.path_format)
        for route in app.app.routes
        if isinstance(route, HTTPRoute)
        for method in route.route_handler_map
    }
    yield from sorted(
        (one for one in found if one.method not in {"OPTIONS", "HEAD"}), key=lambda one: (one.path, one.method)
    )


@dataclass(slots=True)
class Trial:
    """`mine` tries, `other` is tried; `conn` is of zena_ops, `own` of the app's role, `tables` are those of firms."""

    state: State
    app: Any
    conn: Raw
    own: Raw
    mine: Probe
    other: Probe
    tables: list[Table]
    verdict: Verdict = field(default_factory=Verdict)

    async def pages(self, routes: list[Route]) -> None:
        """Read every address: first as its owner, so that what is cached is there, then from outside, as two roles."""
        for route in routes:
            if route.method in _SAFE and self._known(route):
                await self.other.owner.get(route.at(self.other.ids))
        for caller in (self.mine.owner, self.mine.client):
            for route in routes:
                if route.method not in _SAFE or not self._known(route):
                    continue
                for ids in (self.mine.ids, self.other.ids) if route.names else (self.mine.ids,):
                    self._look(route.text, await caller.get(route.at(ids)), {name: ids[name] for name in route.names})
            for path, query in SEARCHES:
                wanted = filled(query, self.other.ids)
                self._look(f"GET {path} ({', '.join(query)})", await caller.get(path, wanted), wanted)

    async def changes(self, routes: list[Route]) -> None:
        """Send every change with the other firm's ids, and see that nothing of it has moved."""
        before = await self._state_of_other()
        for route in routes:
            if route.method in _SAFE or not set(route.names) - {"token"} or not self._known(route):
                continue
            body = filled(ADDRESSED.get(route.text), self.other.ids)
            upload = UPLOAD if route.text in UPLOADS else b""
            answer = await self.mine.owner.send(route.method, route.at(self.other.ids), body, upload=upload)
            if answer.status in _UNREAD and route.path.startswith("/api/"):
                self.verdict.unfinished.append(f"{route.text} answered {answer.status} before it looked for the object")
            sent = {name: self.other.ids[name] for name in route.names} | _texts(body)
            before = await self._changed(route.text, answer, sent, before)
        for method, path, body in SMUGGLED:
            sent = filled(body, self.other.ids)
            answer = await self.mine.owner.send(method, Route(method, path).at(self.mine.ids), sent)
            told = f"{method} {path} ({', '.join(body)} in the body)"
            before = await self._changed(told, answer, _texts(sent), before)

    async def channels(self) -> None:
        """Ask for every live channel of the other firm, and for its objects under one's own name."""
        objects = [self.other.ids[name] for name in ("project_id", "task_id")]
        for resource in self.state.registry.channels:
            names = [f"tenant:{self.other.firm.id}:{resource}"]
            names += [
                f"tenant:{firm}:{resource}:{one}" for firm in (self.other.firm.id, self.mine.firm.id) for one in objects
            ]
            for name in names:
                answer = await self.mine.owner.get(_STREAM, {"channel": name})
                if answer.status == _OK:
                    self.verdict.found("channel", name, f"GET {_STREAM} lets the other firm listen")
                self._look(f"channel {resource}", answer, {"channel": name})
            own = await self.mine.owner.get(_STREAM, {"channel": f"tenant:{self.mine.firm.id}:{resource}"})
            if own.status != _OK:
                self.verdict.unfinished.append(f"channel {resource}: one's own answers {own.status}")

    async def cached(self) -> None:
        """See that every value that was cached meanwhile says in its key whose it is, and holds nobody else's."""
        for key in await self.state.cache.keys(_CACHED):
            kept: Any = await self.state.cache.peek(key) or {}
            owners = [str(probe.firm.id) for probe in (self.mine, self.other) if str(probe.firm.id) in key]
            if len(owners) != 1:
                self.verdict.found(
                    "cache key", key, "it does not say whose value it is", advice="the tenant belongs into it"
                )
            elif kept.get("tenant") != owners[0]:
                self.verdict.found("cache value", key, f"it holds a value of {kept.get('tenant')}")

    async def rows(self) -> None:
        """Look from the app's own role, as one firm and as nobody, at the other's rows in every table."""
        for tenant, who in ((str(self.mine.firm.id), "as another firm"), ("", "as nobody")):
            async with self.own.transaction():
                await self.own.execute(_ENTER, tenant)
                for table in self.tables:
                    seen = f"SELECT count(*) FROM {table.quoted} WHERE tenant_id = $1"  # noqa: S608 - a name that the catalog quoted
                    many = await self.own.fetchval(seen, self.other.firm.id)
                    if many:
                        self.verdict.found("row security", table.name, f"{many} rows are seen {who}")
        self.verdict.tables = len(self.tables)

    def _known(self, route: Route) -> bool:
        strange = [name for name in route.names if name not in self.mine.ids]
        if strange:
            told = f"{route.text}: where does {', '.join(strange)} come from?"
            if told not in self.verdict.unfinished:
                self.verdict.unfinished.append(told)
        return not strange

    def _look(self, what: str, answer: Answer, sent: Mapping[str, str]) -> None:
        """Find words of the other firm in an answer, apart from what was sent."""
        text = answer.text.lower()
        for value in sorted(sent.values(), key=len, reverse=True):
            text = text.replace(value.lower(), "")
        told = sorted(word for word in self.other.canaries if word in text)
        if told:
            seen = [self._what(word) for word in told]
            self.verdict.found("leak", what, *seen, advice="take the route out of service until it is mended")
        if answer.status >= _FAULT:
            self.verdict.unfinished.append(f"{what} answered {answer.status}")
        self.verdict.reached += answer.status < _REDIRECT

    def _what(self, word: str) -> str:
        return "its mark" if word == self.other.mark else f"its id {word}"

    async def _changed(
        self, what: str, answer: Answer, sent: Mapping[str, str], before: dict[str, str]
    ) -> dict[str, str]:
        self._look(what, answer, sent)
        after = await self._state_of_other()
        moved = [name for name in after if after[name] != before.get(name)]
        if moved:
            self.verdict.found("write", what, *(f"changed the other firm's {name}" for name in moved))
        return after

    async def _state_of_other(self) -> dict[str, str]:
        """Return one hash per table of all rows of the other firm and its people."""
        where = {table.quoted: "tenant_id = $1" for table in self.tables}
        where |= {"tenant": "id = $1", "user_account": f"id IN {_PEOPLE}", "session": f"user_id IN {_PEOPLE}"}
        each = [
            f"SELECT '{name}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash"  # noqa: S608 - names that the catalog quoted
            f" FROM {name} t WHERE {which}"
            for name, which in where.items()
        ]
        rows = await self.conn.fetch(" UNION ALL ".join(each), self.other.firm.id)
        return {row["name"]: row["hash"] for row in rows}


def _texts(body: Any) -> dict[str, str]:
    """Return every text of a body, under itself."""
    if isinstance(body, str):
        return {body: body}
    parts = body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ()
    return {name: text for part in parts for name, text in _texts(part).items()}
