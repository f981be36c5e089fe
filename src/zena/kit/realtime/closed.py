"""How a conversation on a socket ends."""


class Closed(Exception):  # noqa: N818 - what the socket is
    """The conversation is over; `code` tells the peer why, None when it is the peer who left, with `theirs`."""

    def __init__(
        self, code: int | None = None, reason: str = "", last: str | None = None, *, theirs: int | None = None
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.theirs = theirs
        self.reason = reason
        self.last = last
