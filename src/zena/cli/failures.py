"""From an exception to an exit code and a line: the one place where commands end badly."""

import socket
import sys
import traceback

import typer

from zena.cli.output import MODE, CommandError, complain
from zena.kit.exits import Exit

_USAGE = 2
#: SQLSTATE of a write in a read-only transaction.
_READ_ONLY = "25006"
#: What asyncpg calls a database that is not there for us.
_LOST = (
    "AdminShutdownError",
    "CannotConnectNowError",
    "CrashShutdownError",
    "InvalidAuthorizationSpecificationError",
    "InvalidCatalogNameError",
    "PostgresConnectionError",
    "TooManyConnectionsError",
)
_BY_STATUS = {401: Exit.PERMISSION, 403: Exit.PERMISSION, 429: Exit.RETRY, 503: Exit.UNAVAILABLE}


def report(error: BaseException) -> int:
    """Tell a failure and return the exit code."""
    if MODE.traceback:
        traceback.print_exception(error)
    for known, tell in ((KeyboardInterrupt, _interrupted), (typer.Abort, _interrupted), (typer.Exit, _exit)):
        if isinstance(error, known):
            return tell(error)
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, CommandError):
        complain(str(error), error.code, **error.details)
        return error.code
    return _domain(error)


def _interrupted(_error: BaseException) -> int:
    complain("interrupted; nothing more was done", Exit.INTERRUPTED)
    return Exit.INTERRUPTED


def _exit(error: BaseException) -> int:
    return int(getattr(error, "exit_code", 0))


def _usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    code = Exit.USAGE if error.exit_code == _USAGE else Exit.IO
    if type(error).__name__ == "NoArgsIsHelpError":
        return code  # the help has been printed
    hint = f" (see `{context.command_path} --help`)" if context is not None else ""
    complain(error.format_message().rstrip(".") + hint, code)
    return code


def _domain(error: BaseException) -> int:
    for tell in (_settings, _database, _problem, _system):
        code = tell(error)
        if code is not None:
            return code
    complain(f"this is a fault of ours: {type(error).__name__}: {error} (--traceback shows where)", Exit.INTERNAL)
    return Exit.INTERNAL


def _settings(error: BaseException) -> int | None:
    from zena.settings.problems import SettingsError

    if not isinstance(error, SettingsError):
        return None
    if MODE.json:
        found = [{"variable": p.variable, "found": p.found, "wanted": p.wanted, "doc": p.doc} for p in error.problems]
        complain("the configuration is refused", Exit.CONFIG, problems=found)
    else:
        for problem in error.problems:
            complain(str(problem), Exit.CONFIG)
    return Exit.CONFIG


def _database(error: BaseException) -> int | None:
    from zena.kit.embedded.urls import AlreadyRunning, EmbeddedError
    from zena.kit.serving.listen import ListenError

    code = None
    if isinstance(error, (AlreadyRunning, ListenError)):
        code = Exit.CONFIG
    elif isinstance(error, EmbeddedError) or type(error).__name__ == "DatabaseUnreachable":
        code = Exit.UNAVAILABLE
    elif type(error).__name__ == "SchemaError":
        code = Exit.CONFIG
    elif _sqlstate(error) == _READ_ONLY:
        code = Exit.RETRY
        error = ConnectionError("changes are switched off for maintenance; `zena up` switches them on")
    elif _is_lost_connection(error):
        code = Exit.UNAVAILABLE
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        error = ConnectionError(f"the database cannot be reached: {reason}")
    if code is not None:
        complain(str(error), code)
    return code


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)


def _is_lost_connection(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)) and not isinstance(error, BrokenPipeError):
        return True
    if isinstance(error, FileNotFoundError) and error.filename is None:  # a unix socket nobody listens on
        return True
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return False
    lost = tuple(getattr(asyncpg, kind) for kind in _LOST)
    return isinstance(error, lost) or isinstance(getattr(error, "orig", None), lost)


def _problem(error: BaseException) -> int | None:
    errors = sys.modules.get("zena.kit.errors")
    if errors is None or not isinstance(error, errors.Problem):
        return None
    server_fault = 500
    code = _BY_STATUS.get(error.status, Exit.INTERNAL if error.status >= server_fault else Exit.DATA)
    complain(error.detail, code, code=error.error_code, details=error.details)
    return code


def _system(error: BaseException) -> int | None:
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # whoever read us has gone; the interpreter would complain once more at exit
        return Exit.IO
    if isinstance(error, PermissionError):
        complain(f"{error.filename or 'that'} is not ours to use ({error.strerror})", Exit.PERMISSION)
        return Exit.PERMISSION
    if isinstance(error, OSError):
        complain(f"{error.filename or 'the system'}: {error.strerror or error}", Exit.IO)
        return Exit.IO
    return None
