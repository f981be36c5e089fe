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
    create_live_app="zena.main:create_live_app",
    work="zena.main:work_jobs",
    stopping="zena.main:stopping",
    welcome="zena.main:welcome",
)

#: The slices' own commands; each is imported when it is called.
COMMANDS = (
    (
        "tenant",
        LazyCommand(
            "Firms: found, list, suspend, export, import, delete, prove apart.",
            "zena.accounts.cli:tenant",
            ("zena.operate.cli.tenants:app", "zena.operate.cli.tenant_moves:app"),
        ),
    ),
    ("user", LazyCommand("People: make an account, look at it, open and shut it.", "zena.accounts.cli.standing:app")),
    ("operator", LazyCommand("Staff of this installation.", "zena.accounts.cli:operator")),
    ("support", LazyCommand("Visits of support to firms: list, end.", "zena.operate.cli.support:app")),
    ("demo", LazyCommand("Load the demonstration firm.", "zena.work.cli:demo_app")),
    ("slo", LazyCommand("Service levels: budgets, burn rates, alerts.", "zena.operate.cli.slo:app")),
    ("logs", LazyCommand("Log lines of all channels, errors by code.", "zena.operate.cli.logs:app")),
    ("requests", LazyCommand("Requests that were slow, failed or refused.", "zena.operate.cli.requests:app")),
    ("backup", LazyCommand("Backups: create, verify, restore, list.", "zena.operate.cli.backup:app")),
    ("config", LazyCommand("Settings: check, show, reload.", "zena.operate.cli.reload:app")),
    ("keys", LazyCommand("Keys of the installation: list, rotate, retire.", "zena.operate.cli.keys:app")),
    ("status", LazyCommand("Everything on one screen.", "zena.operate.cli.status:app")),
    ("cache", LazyCommand("The cache: reach, hit rates, contents, clearing.", "zena.operate.cli.cache:app")),
    ("queue", LazyCommand("The job queue.", "zena.operate.cli.queue:app")),
    ("websocket", LazyCommand("Live connections.", "zena.operate.cli.websocket:app")),
    ("trace", LazyCommand("One request as somebody, with all that it does.", "zena.operate.cli.trace:app")),
    ("bundle", LazyCommand("Pack the evidence of an outage into one file.", "zena.operate.cli.bundle:app")),
    ("shell", LazyCommand("Python with the parts of a process, read only.", "zena.operate.cli.console:app")),
    ("doctor", LazyCommand("Every symptom looked at now, and why it is.", "zena.operate.cli.doctor:app")),
    ("incident", LazyCommand("What was found to be wrong, and how it ended.", "zena.operate.cli.incident:app")),
    ("alert", LazyCommand("Who is told of incidents: mute, try, list.", "zena.operate.cli.alert:app")),
    ("runbook", LazyCommand("Symptoms, their causes, and remedies that are measured.", "zena.operate.cli.runbook:app")),
    ("lab", LazyCommand("Real faults, in an installation made for them.", "zena.operate.cli.lab:app")),
    ("tuning", LazyCommand("Numbers set for a while, while everything runs.", "zena.operate.cli.tuning:app")),
    ("why", LazyCommand("Why something does not work: its first broken link.", "zena.operate.cli.why:app")),
    ("db", LazyCommand("The database: connection, health, set-up.", "zena.operate.cli.db:app")),
    ("down", LazyCommand("Close the installation, or switch changes off.", "zena.operate.cli.maintenance:down_app")),
    ("up", LazyCommand("Open the installation again.", "zena.operate.cli.maintenance:up_app")),
    ("restart", LazyCommand("Replace processes without a refused request.", "zena.operate.cli.restart:app")),
    ("changes", LazyCommand("Releases, migrations, settings, maintenance.", "zena.operate.cli.changes:app")),
    ("import", LazyCommand("Bring tasks in from a CSV or Excel file.", "zena.work.cli:import_app")),
)


def run() -> int:
    """Run the command line; the exit codes are those of zena.kit.exits."""
    return main(build_cli(COMMANDS, HOOKS))


if __name__ == "__main__":
    sys.exit(run())
