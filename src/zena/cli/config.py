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
    """Check every setting and the key ring; all problems in one list, exit 78."""
    from zena.cli.shell import connected, settings
    from zena.settings import load_keys

    found = settings()
    load_keys(found)
    if database:
        import asyncio

        from zena.kit.posture import check_posture

        asyncio.run(check_posture(connected().dsn()))
    say({"ok": True, "env": found.env}, f"all settings are in order ({found.env})")


@app.command()
def show() -> None:
    """Print every setting with its value; secrets are masked."""
    from zena.cli.shell import settings
    from zena.settings.load import described

    table(described(settings()), ["variable", "value", "description"])


@app.command()
def page() -> None:
    """Print the documentation of all settings, in Markdown."""
    from zena.settings.page import page as written

    text = written()
    say({"markdown": text}, text.rstrip())
