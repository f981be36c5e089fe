"""Who may import what, where import-linter has no word for it."""

import ast
from collections.abc import Iterable, Iterator

from scripts.lints.rule import Finding, Rule, Sample, Source, calls, name_of

SLICES = frozenset({"accounts", "work", "documents", "commercial", "site", "insight", "notify", "operate"})
_CLIENTS = ("httpx", "requests", "smtplib", "aiohttp", "urllib.request", "urllib3", "http.client", "ftplib")
_CLIENT_HOMES = frozenset({"kit/http.py", "kit/mail.py"})
_LOADERS = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
_YAML = frozenset({"load", "load_all", "unsafe_load", "full_load"})
_MIN_PARTS = 2


def imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield line and full dotted name of everything imported; `from a.b import c` is `a.b.c`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _under(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in modules)


def _in_home(room: str, homes: frozenset[str]) -> bool:
    """Tell whether a file is one of `homes`, or lies in the folder that a home has grown into."""
    return any(room == home or room.startswith(home.removesuffix(".py") + "/") for home in homes)


def _network(source: Source) -> Iterator[Finding]:
    if source.room and not _in_home(source.room, _CLIENT_HOMES):
        for line, name in imported(source.nodes):
            if _under(name, _CLIENTS):
                yield line, f"{name}: calls out go through kit.http and kit.mail"


NETWORK = Rule(
    "network",
    "one client decides which addresses may be called, so that no address typed by a user reaches the inner network",
    _network,
    good=(
        Sample("src/zena/kit/http.py", "import httpx"),
        Sample("src/zena/kit/mail/smtp.py", "import smtplib"),
        Sample("src/zena/notify/jobs.py", "from zena.kit.http import client\nfrom urllib.parse import urlsplit"),
    ),
    bad=(
        Sample("src/zena/notify/jobs.py", "import httpx"),
        Sample("src/zena/notify/jobs.py", "from urllib.request import urlopen"),
        Sample("src/zena/notify/jobs.py", "def send():\n    import smtplib"),
    ),
)


def _unsafe(source: Source) -> Iterator[Finding]:
    if not source.room:
        return
    for line, name in imported(source.nodes):
        if _under(name, _LOADERS):
            yield line, f"{name}: loading runs what it loads; use JSON"
    for call in calls(source.nodes):
        func = call.func
        if isinstance(func, ast.Attribute) and name_of(func.value) == "yaml" and func.attr in _YAML:
            yield call.lineno, f"yaml.{func.attr}: use yaml.safe_load"


UNSAFE_LOADERS = Rule(
    "unsafe-loaders",
    "these formats run code while they are read, and a cache, a queue and a backup are all places to plant it",
    _unsafe,
    good=(Sample("src/zena/kit/cache.py", "import json\nyaml.safe_load(text)\njson.load(file)"),),
    bad=(
        Sample("src/zena/kit/cache.py", "import pickle"),
        Sample("src/zena/kit/cache.py", "from marshal import loads"),
        Sample("src/zena/kit/cache.py", "yaml.load(text)"),
    ),
)


def _facade(source: Source) -> Iterator[Finding]:
    own = source.room.split("/")[0]
    if own not in SLICES:
        return
    for line, name in imported(source.nodes):
        other = _foreign_slice(name, own)
        if other and not _is_open(name, own):
            yield line, f"{name}: other slices know {other} by its facade only"


def _foreign_slice(name: str, own: str) -> str | None:
    parts = name.split(".")
    return parts[1] if len(parts) >= _MIN_PARTS and parts[0] == "zena" and parts[1] in SLICES - {own} else None


def _is_open(name: str, own: str) -> bool:
    """A facade is open to all, as is the one list of permissions; those who only listen may also name the events."""
    door = [*name.split("."), ""][2]
    return door in {"facade", "permissions"} or (door == "events" and own in {"notify", "operate"})


FACADE = Rule(
    "facade",
    "what a slice does not offer in its facade stays free to change",
    _facade,
    good=(
        Sample("src/zena/work/policy.py", "from zena.accounts.facade import Permission"),
        Sample("src/zena/work/policy.py", "from zena.accounts.permissions import Permission"),
        Sample("src/zena/work/policy.py", "from zena.accounts import facade\nfrom zena.work.models import Task"),
        Sample("src/zena/notify/jobs.py", "from zena.work.events import TaskClosed"),
        Sample("src/zena/main.py", "from zena.accounts.models import Tenant"),
        Sample("src/zena/accounts/web.py", "from zena.kit.html import page"),
    ),
    bad=(
        Sample("src/zena/work/policy.py", "from zena.accounts.models import Tenant"),
        Sample("src/zena/work/policy.py", "import zena.accounts.queries"),
        Sample("src/zena/work/policy.py", "from zena import accounts"),
        Sample("src/zena/insight/queries.py", "from zena.work.events import TaskClosed"),
    ),
)
