"""The program `zena`: names what the command line may call, so that nothing is imported before it is needed."""

import sys

try:
    from zena.cli import Hooks, LazyCommand, build_cli, main
except KeyboardInterrupt:
    sys.exit(130)  # nothing has begun, so there is nothing to tell

HOOKS = Hooks(
    migrations="zena.migrations.run",
    build_state="zena.main:build_state",
    started="zena.main:started",
    create_app="zena.main:create_app",
    work="zena.main:work_jobs",
    welcome="zena.main:welcome",
)

#: The slices' own commands; each is imported when it is called.
COMMANDS = (
    ("tenant", LazyCommand("Firms: found one, list them.", "zena.accounts.cli:tenant")),
    ("user", LazyCommand("People: make an account, a link for a forgotten password.", "zena.accounts.cli:user")),
    ("operator", LazyCommand("Staff of this installation.", "zena.accounts.cli:operator")),
    ("demo", LazyCommand("Load the demonstration firm.", "zena.work.cli:demo_app")),
    ("slo", LazyCommand("Service levels: budgets, burn rates, alerts.", "zena.operate.cli.slo:app")),
    ("requests", LazyCommand("Requests that were slow, failed or refused.", "zena.operate.cli.requests:app")),
    ("status", LazyCommand("Everything on one screen.", "zena.operate.cli.status:app")),
    ("import", LazyCommand("Bring tasks in from a CSV or Excel file.", "zena.work.cli:import_app")),
)


def run() -> int:
    """Run the command line; the exit codes are those of zena.kit.exits."""
    return main(build_cli(COMMANDS, HOOKS))


if __name__ == "__main__":
    sys.exit(run())
