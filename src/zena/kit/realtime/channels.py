"""Names of channels: `tenant:{tenant}:{resource}` or `tenant:{tenant}:{resource}:{id}`."""

import re
from typing import Final, NamedTuple
from uuid import UUID

from zena.kit.errors import Problem

_NAME: Final = re.compile(
    r"tenant:(?P<tenant>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}):(?P<resource>[a-z_]{1,40})(?::(?P<id>[\w-]{1,64}))?",
    re.ASCII,
)

_CODES: Final = {401: "permission_denied", 403: "permission_denied", 404: "not_found"}


class Channel(NamedTuple):
    """What somebody listens to."""

    tenant: UUID
    resource: str
    object_id: str | None

    def __str__(self) -> str:
        tail = "" if self.object_id is None else f":{self.object_id}"
        return f"tenant:{self.tenant}:{self.resource}{tail}"

    @classmethod
    def parse(cls, name: str) -> "Channel | None":
        """Return the channel of this name, None when it is not the name of one."""
        found = _NAME.fullmatch(name)
        return found and cls(UUID(found["tenant"]), found["resource"], found["id"])


class ChannelRefused(Exception):  # noqa: N818 - an answer of the protocol
    """A subscription that is not granted; `code` is the protocol's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @classmethod
    def of(cls, problem: Problem) -> "ChannelRefused":
        """Return what the protocol says where REST says this."""
        return cls(_CODES.get(problem.status, "invalid_channel"), problem.detail)
