"""`zena config`: what the installation is set to, and whether that is sound."""

from typing import Annotated

import typer

from zena.cli.output import say, table

app = typer.Typer(help="Settings: check, show, page.", no_args_is_help=True)


@app.command()
def check(
    database: Annotated[
        bool, typer.Option("--database", help="Connect, and check the server and the app role too.")
    ] = False,
) -> None:
    """Check every setting and the key ring; change nothing.

    Prints one line when all is well, else one line on stderr for each problem:
    the variable, what was found (secrets masked) and what is wanted. Exit 78
    with problems; with --database also 69 when the database does not answer.

    Example: zena config check --database
    """
    from zena.cli.shell import connected, settings

    found = settings()
    if database:
        import asyncio

        from zena.kit.posture import check_posture

        asyncio.run(check_posture(connected().dsn()))
    read = f"; {found.config_file} was read" if found.config_file else ""
    say({"ok": True, "env": found.env, "file": found.config_file}, f"all settings are in order ({found.env}{read})")


@app.command()
def show() -> None:
    """Print every setting with its value in force and what it means; secrets are masked.

    Example: zena config show --json
    """
    from zena.cli.shell import settings
    from zena.settings.load import described

    table(described(settings()), ["variable", "value", "description"])


@app.command()
def page() -> None:
    """Print the page docs/operate/settings.md, which describes all settings.

    Example: zena config page > docs/operate/settings.md
    """
    from zena.settings.page import page as written

    text = written()
    say({"markdown": text}, text.rstrip())
