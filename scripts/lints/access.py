"""Objects are fetched where they are authorized."""

import ast
from collections.abc import Iterator

from scripts.lints.rule import Finding, Rule, Sample, Source, name_of

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _find(source: Source) -> Iterator[Finding]:
    if source.room:
        yield from _gets(source.tree, inside="")


def _gets(node: ast.AST, inside: str) -> Iterator[Finding]:
    """Yield `session.get(` calls whose nearest function is not an `access_*`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and _is_session_get(child) and not inside.startswith("access_"):
            yield child.lineno, "session.get outside access_*: this fetches without asking who may see it"
        yield from _gets(child, child.name if isinstance(child, _Function) else inside)


def _is_session_get(call: ast.Call) -> bool:
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in {"get", "get_one"}:
        return False
    # A mapping called session has string keys; the ORM's first argument is a class.
    is_mapping = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return name_of(func.value) in {"session", "_session"} and not is_mapping and not _is_own(call)


def _is_own(call: ast.Call) -> bool:
    """Tell whether the key is the caller's own: their tenant, their account."""
    key = call.args[1] if len(call.args) > 1 else None
    return isinstance(key, ast.Attribute) and name_of(key.value) in {"scope", "actor", "identity"}


_AT = "src/zena/work/policy.py"
SESSION_GET = Rule(
    "session-get",
    "every peer leaked through an object looked up by its bare id; one access_* per kind authorizes and locks",
    _find,
    good=(
        Sample(
            _AT, "async def access_task(session, scope, id):\n    return await session.get(Task, (scope.tenant_id, id))"
        ),
        Sample(_AT, 'payload.get("name")'),
        Sample(_AT, "async def own_firm(session, scope):\n    return await session.get_one(Tenant, scope.tenant)"),
        Sample("tests/work/test_task.py", "async def test(session): await session.get(Task, 1)"),
    ),
    bad=(
        Sample(_AT, "async def close_task(session, id):\n    return await session.get(Task, id)"),
        Sample(_AT, "async def close_task(self, id):\n    return await self.session.get_one(Task, id)"),
    ),
)
