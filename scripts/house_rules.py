"""Run the house rules of scripts/lints over the Python files."""

from collections.abc import Iterator

from scripts import tree
from scripts.findings import report
from scripts.lints import RULES
from scripts.lints.rule import Source, run


def findings() -> Iterator[str]:
    """Yield one line for each broken rule."""
    for path in tree.files(".py", below=("src/", "scripts/", "tests/", "bench/")):
        if not path.startswith(("scripts/lints/", "tests/tooling/")):  # their samples break the rules on purpose
            source = Source(path, tree.read(path), tree.parse(path))
            for rule in RULES:
                yield from (f"{path}:{line}: {rule.name}: {message}" for line, message in run(rule, source))


if __name__ == "__main__":
    report(findings())
