"""SQL is fixed text with bound parameters."""

import ast
import re
from collections.abc import Iterator

from scripts.lints.rule import Finding, Rule, Sample, Source, calls, name_of

_RUNNERS = frozenset(
    {
        *("execute", "executemany", "exec_driver_sql", "scalar", "scalars", "stream", "text", "literal_column"),
        *("fetch", "fetchrow", "fetchval", "fetchmany", "cursor", "prepare", "copy_from_query"),
    }
)
_RUFF_ALLOWS = re.compile(r"# noqa: [\w, ]*S608")


def _find(source: Source) -> Iterator[Finding]:
    if not source.room or source.room.startswith("migrations/"):
        return
    # Outside functions only the program's own constants exist, so what is composed there is fixed text.
    for function in (node for node in source.tree.body if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign)):
        composed = _composed_names(function, source)
        for call in calls(ast.walk(function)):
            if name_of(call.func) in _RUNNERS and call.args and not _excused(call, source):
                sql = call.args[0]
                if _is_composed(sql) or (isinstance(sql, ast.Name) and sql.id in composed):
                    yield call.lineno, "SQL composed from parts: bind the values, or choose between fixed texts"


def _excused(node: ast.expr | ast.stmt, source: Source) -> bool:
    """Tell whether ruff's own rule for the same thing is switched off here; the rule `reasons` wants to know why."""
    lines = source.text.splitlines()[node.lineno - 1 : node.end_lineno]
    return any(_RUFF_ALLOWS.search(line) for line in lines)


def _composed_names(tree: ast.stmt, source: Source) -> set[str]:
    """Return the names of variables that hold a composed string somewhere below a node."""
    assigns = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    return {
        target.id
        for assign in assigns
        if _is_composed(assign.value) and not _excused(assign, source)
        for target in assign.targets
        if isinstance(target, ast.Name)
    }


def _is_composed(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr():
            return any(not _is_constant(v.value) for v in node.values if isinstance(v, ast.FormattedValue))
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str()) | ast.JoinedStr()):
            return True
        case ast.BinOp(op=ast.Add()):
            sides = (node.left, node.right)
            return any(_is_text(side) for side in sides) and not all(_is_fixed(side) for side in sides)
        case ast.Call(func=ast.Attribute(attr="format", value=ast.Constant(value=str()))):
            return True
        case _:
            return False


def _is_fixed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or _is_constant(node) or (_is_text(node) and not _is_composed(node))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.BinOp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_constant(node: ast.expr) -> bool:
    """Tell whether a part is a constant of the module, which style writes in capitals."""
    return name_of(node).isupper()


_AT = "src/zena/work/queries.py"


def _in(body: str) -> Sample:
    return Sample(_AT, f"async def rows(conn, session, name):\n    {body}")


SQL_LITERAL = Rule(
    "sql-literal",
    "a value inside the text of a statement is an injection waiting, and shows in other tenants' statistics",
    _find,
    good=(
        _in('await conn.fetch("SELECT id FROM task WHERE tenant_id = $1", tenant)'),
        _in('await conn.fetch(f"SELECT {_COLUMNS} FROM task WHERE tenant_id = $1", tenant)'),
        _in('await session.execute(text("SELECT 1" + TAIL), {"id": task_id})'),
        _in("await session.execute(select(Task).where(Task.tenant_id == scope.tenant_id))"),
        _in('sql = f"SELECT 1 FROM {kind}"  # noqa: S608 - a name of the registry\n    conn.fetch(sql)'),
        Sample(_AT, "_READ = text(f\"SELECT {', '.join(COLUMNS)} FROM task\")"),
        Sample("src/zena/migrations/fences.py", 'def f(): op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")'),
        Sample("tests/kit/test_db.py", 'def f(): conn.execute(f"SET ROLE {role}")'),
    ),
    bad=(
        _in("await conn.fetch(f\"SELECT id FROM task WHERE name = '{name}'\")"),
        _in('await session.execute(text("SELECT id FROM task WHERE id = " + task_id))'),
        _in('await session.execute(text("SELECT id FROM %s" % table))'),
        _in('await session.execute(text("SELECT id FROM {}".format(table)))'),
        _in('sql = f"SELECT {name}"\n    return conn.fetch(sql)'),
        Sample(_AT, 'class Tasks:\n    def rows(self, name): return self.conn.fetch(f"SELECT {name}")'),
    ),
)

_OF_SESSION = re.compile(r"set_config\(\s*'app\.[^)]*,\s*false\s*\)|\bSET\s+(?:SESSION\s+)?app\.", re.IGNORECASE)


def _find_settings(source: Source) -> Iterator[Finding]:
    if not source.room:
        return
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _OF_SESSION.search(node.value):
            yield node.lineno, "a tenant set for the session: set it for the transaction, set_config(..., true)"


SESSION_SETTING = Rule(
    "session-setting",
    "pooled connections are not reset between requests: what is set for the session would be the next one's (ADR 0007)",
    _find_settings,
    good=(
        Sample(_AT, "_ENTER = \"SELECT set_config('app.tenant', $1, true)\""),
        Sample(_AT, "_READ = \"SELECT current_setting('app.tenant', true)\""),
        Sample("tests/kit/test_db.py", "sql = \"SELECT set_config('app.tenant', $1, false)\""),
    ),
    bad=(
        Sample(_AT, "_ENTER = \"SELECT set_config('app.tenant', $1, false)\""),
        Sample(_AT, "_ENTER = \"SET app.tenant = 'x'\""),
    ),
)
