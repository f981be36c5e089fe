"""The documentation page of all settings; docs/operate/settings.md is this text, held equal by a test."""

from pydantic_core import PydanticUndefined

from zena.settings.load import VARIABLES
from zena.settings.model import Settings

_HEAD = """\
# Settings

Zena reads its settings from environment variables, and what they leave out from a file. None is needed: without any, it
runs on this machine with a database of its own. `zena config check` tells every problem at once, `zena config show`
prints what a start would go by.

- The file is `zena.env` in the data directory, or what `ZENA_CONFIG_FILE` names: `NAME=value` lines; `#` begins a
  comment, quotes around a value are taken off. Every command reads it, and `zena config reload` brings what was changed
  in it into the running processes. If others can read it, it may hold no passwords.
- Any variable may be given as `NAME_FILE`, the path of a file that holds the value; secrets belong there.
- A variable that starts with `ZENA_` and is not on this page stops the start, with the name that was perhaps meant.
- In production, known or short passwords, an unencrypted remote database and debugging are refused.

This page is printed by `zena config page`.
"""


def page() -> str:
    """Return the page in Markdown."""
    return _HEAD + "".join(_paragraph(variable, name) for variable, name in VARIABLES.items())


def _paragraph(variable: str, name: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default in {None, PydanticUndefined, "", ()} else f" Default: `{_shown(field.default)}`."
    return f"\n### {variable}\n\n{field.description}{default}\n"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
