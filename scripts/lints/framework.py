"""Parts of the framework and of the template engine that are not used, and why."""

import ast
from collections.abc import Iterator

from scripts.lints.rule import Finding, Rule, Sample, Source, calls, name_of

_ROUTE_DECORATORS = frozenset({"get", "post", "put", "patch", "delete", "head", "route", "HTTPRouteHandler"})
#: Where text becomes markup: cleaned, or built from parts that are escaped one by one.
_MARKUP_HOMES = frozenset({"kit/text.py", "kit/markdown.py", "kit/templates.py"})


def _cached_routes(source: Source) -> Iterator[Finding]:
    if not source.room:
        return
    for call in calls(source.nodes):
        words = {word.arg for word in call.keywords}
        if name_of(call.func) in _ROUTE_DECORATORS and words & {"cache", "cache_key_builder"}:
            yield call.lineno, "cache= on a route: the framework's cache does not know tenants"


ROUTE_CACHE = Rule(
    "route-cache",
    "the framework's response cache answers one tenant with another's body; kit.cache forces the tenant into the key",
    _cached_routes,
    good=(
        Sample("src/zena/work/api.py", '@get("/tasks", opt=may(Permission.TASKS_VIEW))\nasync def tasks(): ...'),
        Sample("src/zena/main.py", "State(cache=Cache(settings))"),
    ),
    bad=(Sample("src/zena/work/api.py", '@get("/tasks", cache=60)\nasync def tasks(): ...'),),
)


def _markup(source: Source) -> Iterator[Finding]:
    if not source.room or source.room in _MARKUP_HOMES:
        return
    for call in calls(source.nodes):
        if name_of(call.func) == "Markup" and not (call.args and isinstance(call.args[0], ast.Constant)):
            yield call.lineno, "Markup() of something computed: use the template, or kit.markdown"


MARKUP = Rule(
    "markup",
    "text declared to be markup is not escaped any more; few files may do so, and they are read with care",
    _markup,
    good=(
        Sample("src/zena/kit/markdown.py", "return Markup(cleaned)"),
        Sample("src/zena/work/web.py", 'return Markup("<b>{}</b>").format(name)'),
    ),
    bad=(
        Sample("src/zena/work/web.py", "return Markup(name)"),
        Sample("src/zena/work/web.py", 'return markupsafe.Markup(f"<b>{name}</b>")'),
    ),
)


def _future(source: Source) -> Iterator[Finding]:
    for node in source.tree.body:
        if source.room and isinstance(node, ast.ImportFrom) and node.module == "__future__":
            yield node.lineno, "annotations are read at run time: quote the one name that needs it"


FUTURE_ANNOTATIONS = Rule(
    "future-annotations",
    "the framework resolves annotations of handlers; as strings they resolve only where every name happens to be known",
    _future,
    good=(Sample("src/zena/work/api.py", 'def own(self) -> "Task": ...'),),
    bad=(Sample("src/zena/work/api.py", "from __future__ import annotations"),),
)
