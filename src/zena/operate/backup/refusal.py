"""Why a backup is not made, not believed or not put back."""

from zena.kit.exits import Exit


class Refused(Exception):  # noqa: N818 - an outcome, told to whoever asked
    """Nothing was changed; the message says why and what to do, `code` is the exit code of the command."""

    def __init__(self, message: str, code: Exit = Exit.DATA) -> None:
        super().__init__(message)
        self.code = code


class NothingThere(Refused):
    """There is nothing to back up yet."""
