"""The rows of a run, bound to two servers and four firms."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import msgspec

from bench.data import Firm, Shape
from bench.load import Job, Measured, Shot
from bench.processes import HOST, Application, fire
from bench.rows import Goal, Measure, in_turn

API = "/api/v1/app"
#: What counts as "the same" between a small and a large firm.
FLAT = 1.2
Start = Callable[[], AbstractContextManager[Application]]
#: What measuring itself may cost.
MEASURING = 1.03


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks each firm has: lists are read in one, creates and dashboards compare a small and a large one."""

    listed: int = 100_000
    small: int = 1_000
    middle: int = 10_000
    large: int = 1_000_000

    def shapes(self) -> dict[str, Shape]:
        return {
            "listed": Shape(self.listed + 2_450, projects=50, first=self.listed),
            "small": Shape(self.small),
            "middle": Shape(self.middle),
            "large": Shape(self.large),
        }


class Suite(msgspec.Struct, kw_only=True):
    """What the rows need: ports, firms by name, seconds per round."""

    app: int
    floor: int
    firms: dict[str, Firm]
    sizes: Sizes
    seconds: float

    def measures(self) -> list[Measure]:
        return [*self._reads(), self._creates(), *self._dashboards()]

    def sample(self) -> tuple[list[Shot], list[Shot]]:
        """Return the first request of each read, ours and the floor's: their answers must be the same."""
        return [ours[0] for _, ours, _ in self._pairs()], [bare[0] for _, _, bare in self._pairs()]

    def _pairs(self) -> list[tuple[str, list[Shot], list[Shot]]]:
        firm = self.firms["listed"]
        project, tenant = firm.projects[0], firm.tenant
        paths = [
            (f"list 50 of {self.sizes.listed:,} tasks", [f"{API}/projects/{project}/tasks"], [f"/list?id={project}"]),
            ("one task", [f"{API}/tasks/{task}" for task in firm.tasks], [f"/one?id={task}" for task in firm.tasks]),
            ("project list", [f"{API}/projects"], ["/projects?"]),
        ]
        return [
            (
                name,
                [Shot(path, headers=bearer(firm)) for path in ours],
                [Shot(f"{path}&tenant={tenant}") for path in bare],
            )
            for name, ours, bare in paths
        ]

    def _reads(self) -> list[Measure]:
        return [
            Measure(
                name=name,
                figure="rate",
                base_name="floor",
                sides=in_turn(partial(self._fire, self.app, ours), partial(self._fire, self.floor, bare)),
                goal=Goal(least_ratio=0.5, most_p95=25),
            )
            for name, ours, bare in self._pairs()
        ]

    def measuring(self, start: Start) -> list[Measure]:
        """Return the rows of what measuring costs, in applications that can switch it off: another for each round.

        By where its memory came to lie, a process may pay twice what another pays.
        """
        return [
            Measure(
                name=f"measuring itself: {name}",
                figure="p95",
                base_name="without",
                sides=partial(self._switched, start, ours),
                goal=Goal(most_ratio=MEASURING),
            )
            for name, ours, _ in self._pairs()
        ]

    def _creates(self) -> Measure:
        return Measure(
            name=f"create a task, {self.sizes.large:,} there",
            figure="rate",
            base_name=f"{self.sizes.small:,} there:",
            sides=in_turn(
                partial(self._fire, self.app, creates(self.firms["large"])),
                partial(self._fire, self.app, creates(self.firms["small"])),
            ),
            goal=Goal(least_value=300, least_ratio=1 / FLAT),
        )

    def _dashboards(self) -> list[Measure]:
        return [
            Measure(
                name=f"dashboard {kind} {word}, {self.sizes.large:,}",
                figure="p50",
                base_name=f"{self.sizes.middle:,}:",
                sides=in_turn(
                    partial(self._dashboard, self.firms["large"], kind, warm=word == "warm"),
                    partial(self._dashboard, self.firms["middle"], kind, warm=word == "warm"),
                ),
                goal=Goal(most_p95=most, most_ratio=FLAT),
            )
            for kind in ("JSON", "page")
            for word, most in (("warm", 10), ("cold", 50))
        ]

    def _dashboard(self, firm: Firm, kind: str, *, warm: bool) -> Measured:
        """Ask for the dashboard again and again; cold means that a task was created just before each time."""
        read = (
            Shot(f"{API}/dashboard", headers=bearer(firm))
            if kind == "JSON"
            else Shot("/dashboard", headers=cookie(firm))
        )
        if warm:
            return self._fire(self.app, [read], connections=4)
        writes = [msgspec.structs.replace(write, timed=False) for write in creates(firm)]
        return self._fire(self.app, [shot for write in writes for shot in (write, read)], connections=1)

    def _switched(self, start: Start, shots: list[Shot], _ours_first: bool) -> tuple[Measured, Measured]:  # noqa: FBT001 - as Sides says
        with start() as app:
            job = Job(host=HOST, port=app.port, shots=shots, seconds=self.seconds * 4, switched=app.pid)
            on, off = fire(job)
        return on, off

    def _fire(self, port: int, shots: list[Shot], connections: int = 16) -> Measured:
        [found] = fire(Job(host=HOST, port=port, shots=shots, seconds=self.seconds, connections=connections))
        return found


def bearer(firm: Firm) -> dict[str, str]:
    return {"Accept": "application/json", "Authorization": f"Bearer {firm.token}"}


def cookie(firm: Firm) -> dict[str, str]:
    return {"Accept": "text/html", "Cookie": f"__Host-zena={firm.cookie}"}


def creates(firm: Firm) -> list[Shot]:
    """Return requests that create a task, in each project in turn."""
    body = msgspec.json.encode({"name": "Check formwork before the pour", "priority": "high"}).decode()
    paths = [f"{API}/projects/{project}/tasks" for project in firm.projects]
    return [Shot(path, method="POST", body=body, headers=bearer(firm)) for path in paths]
