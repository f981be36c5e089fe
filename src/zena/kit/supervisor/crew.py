"""The supervised processes together: kept at strength, replaced one by one, drained at the end."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from zena.kit.exits import Exit
from zena.kit.supervisor.child import Child, pause_after
from zena.kit.supervisor.plan import Spec
from zena.kit.supervisor.voice import tell

#: Failures in a row, before anything ever worked, after which starting is given up.
_TRIES = 3
#: Seconds after which a successor that does not take work is given up.
_START = 60.0


@dataclass(slots=True)
class _Post:
    """A place in the crew, whoever fills it."""

    spec: Spec
    child: Child | None = None
    next: Child | None = None
    failures: int = 0
    retry_at: float = 0.0
    was_ready: bool = False


class Crew:
    """Call `tick` often; `hopeless` holds an exit status once there is no point in going on."""

    def __init__(self, specs: list[Spec], spawn: Callable[[Spec], Child]) -> None:
        self._posts = [_Post(spec) for spec in specs]
        self._spawn = spawn
        self._leaving: list[Child] = []
        self._to_replace: deque[_Post] = deque()
        self._stopping = False
        self.hopeless: int | None = None
        self.refused = ""

    @property
    def serves(self) -> bool:
        """Whether everybody who need not wait for others has taken up work."""
        return all(post.was_ready for post in self._posts if not post.spec.late)

    @property
    def children(self) -> list[Child]:
        """Every process that may still run."""
        held = [child for post in self._posts for child in (post.child, post.next) if child is not None]
        return [*held, *self._leaving]

    def tick(self) -> None:
        """Look at every process once and do what is due."""
        for child in [child for child in self._leaving if child.look() is not None]:
            self._leaving.remove(child)
            child.close()
        for post in self._posts:
            self._look(post)
        for child in self.children:
            child.enforce()
        self._continue_replacing()

    @property
    def replacing(self) -> bool:
        """Whether a successor is still to come, or a predecessor to go."""
        return bool(self._to_replace or self._leaving)

    @property
    def pids(self) -> dict[str, int]:
        """The process at each post that has one."""
        return {post.spec.name: post.child.process.pid for post in self._posts if post.child is not None}

    def replace(self, kind: str | None = None) -> None:
        """Start a successor for each process (of a kind, or of a name) in turn; the old one drains when it takes work.

        `refused` names the post whose successor did not start; the others then stay as they are.
        """
        self.refused = ""
        wanted = [post for post in self._posts if kind in {None, post.spec.kind, post.spec.name}]
        self._to_replace.extend(post for post in wanted if post not in self._to_replace)

    def stop(self) -> None:
        """Ask everybody to drain, and start nobody any more."""
        self._stopping = True
        self._to_replace.clear()
        for post in self._posts:  # a successor that was on its way leaves like everybody
            if post.next is not None:
                self._leaving.append(post.next)
                post.next = None
        for child in self.children:
            child.stop()

    def kill(self) -> None:
        for child in self.children:
            child.kill()

    def _look(self, post: _Post) -> None:
        if post.child is None:
            may_start = self.serves or not post.spec.late
            if may_start and not self._stopping and time.monotonic() >= post.retry_at:
                post.child = self._started(post)
            return
        status = post.child.look()
        if status is None:
            post.was_ready = post.was_ready or post.child.ready
            return
        ended, post.child = post.child, None
        ended.close()
        if not self._stopping:
            self._after_death(post, ended, status)

    def _started(self, post: _Post) -> Child | None:
        """Start a process for the post; None if the machine has no room for one just now."""
        try:
            return self._spawn(post.spec)
        except OSError as error:
            post.failures += 1
            post.retry_at = time.monotonic() + pause_after(post.failures)
            tell(f"{post.spec.name} cannot be started: {error.strerror}")
            if self._to_replace:
                self.refused = post.spec.name
                self._to_replace.clear()
            return None

    def _after_death(self, post: _Post, ended: Child, status: int) -> None:
        post.failures = post.failures + 1 if ended.failed_by_itself else 0
        if not post.was_ready and (status == Exit.CONFIG or post.failures >= _TRIES):
            self.hopeless = status if status > 0 else Exit.INTERNAL
            return
        pause = pause_after(post.failures)
        post.retry_at = time.monotonic() + pause
        how = f"signal {-status}" if status < 0 else f"status {status}"
        if ended.silent:
            how = f"no sign of life for {post.spec.patience:g} s, killed"
        tell(f"{post.spec.name} ended ({how}); starting it again in {pause:.1f} s")

    def _continue_replacing(self) -> None:
        if not self._to_replace:
            return
        post = self._to_replace[0]
        if post.next is None:
            post.next = self._started(post)
        elif post.next.look() is not None:
            tell(f"the new {post.spec.name} did not start; the old one stays")
            post.next.close()
            post.next = None
            self.refused = post.spec.name
            self._to_replace.clear()
        elif not post.next.ready and time.monotonic() - post.next.started > _START:
            post.next.kill()
        elif post.next.ready:
            old, post.child, post.next = post.child, post.next, None
            post.failures = 0
            self._to_replace.popleft()
            if old is not None:
                old.stop()
                self._leaving.append(old)
