"""`zena shell`: Python with the parts of a process, for the question that has no command."""

import ast
import asyncio
import code
import inspect
import sys
import types
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zena import __version__
from zena.kit.exits import Exit

if TYPE_CHECKING:
    from zena.kit.scope import Scope
    from zena.kit.state import State
    from zena.settings import Settings

app = typer.Typer(add_completion=False)

_BANNER: Final = """zena {version}, Python {python}; {mode}. `await` works here.
  state              the parts of a process: state.db, state.cache, state.clock, state.registry
  settings           what the installation is set to
  await scope(firm)  act as a firm's first owner from now on, or as somebody: await scope("acme", "lan@acme.example")
  await sql(text, *values)   rows as dicts, as the application sees them in that firm: without one, none
  tenant_work(state.db, await scope("acme"))   an open unit of work, for the actions: async with ... as session
exit() or Ctrl-D leaves."""


@app.command()
def shell(
    code_: Annotated[str | None, typer.Option("-c", "--code", metavar="CODE", help="Run this and leave.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Let transactions write.")] = False,
) -> None:
    """Open Python with the parts of a process at hand; transactions are read only unless asked otherwise.

    Each use is recorded. Takes the program from standard input when that is no terminal. Exit 1 when the code fails.

    Example: zena shell -c "await scope('acme'); print(await sql('SELECT count(*) FROM task'))"
    """
    from zena.cli.lazy import resolve
    from zena.cli.shell import hooks, ready, require
    from zena.settings import Role

    program = code_ if code_ is not None or sys.stdin.isatty() else sys.stdin.read()
    with ready() as found, asyncio.Runner() as runner:
        require(found, Role.OPS)
        runner.run(_record(found, program, write=write))
        state = _state(found, write=write)
        parts = AsyncExitStack()
        runner.run(parts.enter_async_context(resolve(hooks().started)(state)))
        try:
            console = Console(runner, _names(state))
            fine = console.converse(write=write) if program is None else console.once(program)
        finally:
            runner.run(parts.aclose())
    raise typer.Exit(Exit.OK if fine else Exit.FINDING)


def _state(found: "Settings", *, write: bool) -> "State":
    from zena.cli.lazy import resolve
    from zena.cli.shell import hooks
    from zena.kit.db import Database

    state: State = resolve(hooks().build_state)(found, worker=False)
    options = replace(state.db.options, url=found.direct_dsn, pooled=False, application="zena-shell")
    state.db = Database(replace(options, read_only=not write), state.telemetry)
    return state


async def _record(found: "Settings", program: str | None, *, write: bool) -> None:
    from zena.kit import changes
    from zena.kit.db import dialled
    from zena.kit.logs import redact
    from zena.settings import Role

    what = f"shell, {'may write' if write else 'read only'}"
    ran = None if program is None else {"code": redact(None, "", {"code": program[:2000]})["code"]}
    async with dialled(found.dsn(Role.OPS), "zena-shell") as conn:
        await changes.record(conn, "remedy", what, after=ran)


def _names(state: "State") -> dict[str, Any]:
    """Return what stands ready at the prompt."""
    from zena.accounts.facade import command_actor
    from zena.kit.uow import tenant_work

    acting: list[Scope] = []

    async def scope(firm: str | None = None, email: str | None = None) -> "Scope":
        """Act in a firm (short name) from now on: as somebody, or as its first owner."""
        async with state.db.sessions() as session:
            found = await command_actor(session, tenant=firm, email=email, at=state.clock.now())
        acting[:] = [found]
        return found

    async def sql(text: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of one statement, in a transaction of its own that is bound to the firm chosen last."""
        enter = "SELECT set_config('app.tenant', $1, true), set_config('app.user', $2, true)"
        async with state.db.lend() as conn, conn.transaction():
            if acting:
                await conn.execute(enter, str(acting[0].tenant), str(acting[0].user or ""))
            return [dict(row) for row in await conn.fetch(text, *values)]

    return {
        "__name__": "__console__",
        "state": state,
        "settings": state.settings,
        "scope": scope,
        "sql": sql,
        "tenant_work": tenant_work,
    }


class Console(code.InteractiveConsole):
    """The interpreter of the standard library, with `await` at the top."""

    def __init__(self, runner: asyncio.Runner, names: dict[str, Any]) -> None:
        super().__init__(names)
        self._runner = runner
        self._fine = True
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def converse(self, *, write: bool) -> bool:
        """Read and run until the end; how single lines went does not matter then."""
        import readline  # noqa: F401 - importing it is what gives the prompt its history

        mode = "transactions MAY WRITE" if write else "transactions are read only, --write lifts that"
        with suppress(SystemExit):
            self.interact(_BANNER.format(version=__version__, python=sys.version.split()[0], mode=mode), exitmsg="")
        return True

    def once(self, program: str) -> bool:
        """Run a whole program; False if it failed, which has then been told on stderr."""
        try:
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            self.runcode(compile(program, "<shell>", "exec", flags=flags, dont_inherit=True))
        except (SyntaxError, ValueError):
            self.showsyntaxerror("<shell>")
            return False
        except SystemExit as end:
            return not end.code
        return self._fine

    def runcode(self, code: types.CodeType) -> None:
        """Run what was compiled on the runner's loop; Ctrl-C ends that, not the shell."""
        try:
            found = types.FunctionType(code, self.locals)()
            if inspect.iscoroutine(found):
                self._runner.run(found)
        except SystemExit:
            raise
        except KeyboardInterrupt:
            self._fine = False
            self.write("\nKeyboardInterrupt\n")
        except BaseException:  # noqa: BLE001 - whatever the code does, the prompt comes back
            self._fine = False
            self.showtraceback()
