"""Log lines: one per fact, with who and which request, without secrets, never more than one line of text.

Everything logged in the process passes here, the libraries' own lines too. Sinks write in threads of their own from
bounded queues: a slow or dead one costs lines (counted), never a request.
"""

from zena.kit.logs.access import log_request, log_statement
from zena.kit.logs.errors import ERRORS
from zena.kit.logs.logger import Logger, get_logger
from zena.kit.logs.redaction import MASK, redact
from zena.kit.logs.writing import LogState, log_as_set, log_silence, log_state, setup_logging

__all__ = [
    "ERRORS",
    "MASK",
    "LogState",
    "Logger",
    "get_logger",
    "log_as_set",
    "log_request",
    "log_silence",
    "log_state",
    "log_statement",
    "redact",
    "setup_logging",
]
