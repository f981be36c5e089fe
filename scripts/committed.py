"""No address of a registry and no path of somebody's machine in a file that is shared."""

import re
from collections.abc import Iterator

from scripts import tree
from scripts.findings import report

_EVERYWHERE = {
    "registry host": re.compile(
        r"registry\.(npmjs|yarnpkg)|pythonhosted\.org|pypi\.org/(simple|pypi)|npm\.pkg\.github|npmmirror|"
        r"(artifactory|nexus|devpi)[\w.-]*\.[a-z]{2,}/|proxy\.golang"
    ),
    "index option": re.compile(r"--(extra-)?index-url|--find-links|--trusted-host|(?<![\w-])-[if] (https?|file)://"),
    "path of a machine": re.compile(
        r"(?<![\w./-])(/root/|/home/\w|/Users/\w|/opt/(pypi|wheels)|/work/(main|shared|notes)|/tmp/bash)"
    ),
    "credentials in an address": re.compile(
        r"https?://[^/\s:@'\"{}<>$]+:[^/\s@'\"{}<>$]{8,}@(?!localhost|127\.|[\w.-]*example|[\w.-]*invalid)"
    ),
}
_LOCK = re.compile(r"://|^\s*-(?!-hash=)")
_RESOLVED = re.compile(r'"resolved"\s*:')
#: These name what they look for.
_SPOKEN_OF = frozenset({"scripts/committed.py", "tests/tooling/test_committed.py"})


def findings() -> Iterator[str]:
    """Yield one line for each address or path that must not be shared."""
    for path in tree.files():
        if path not in _SPOKEN_OF:
            yield from (f"{path}:{number}: {message}" for number, message in look(path, tree.read(path)))


def look(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield line and finding for one file."""
    for number, line in enumerate(text.splitlines(), 1):
        for name, pattern in _EVERYWHERE.items():
            if found := pattern.search(line):
                yield number, f"{name}: {found[0]}"
        if path.startswith("requirements/") and not line.lstrip().startswith("#") and _LOCK.search(line):
            yield number, "a lock names packages and hashes, nothing else"
        if path.endswith("package-lock.json") and _RESOLVED.search(line):
            yield number, "a resolved address: install with omit-lockfile-registry-resolved"


if __name__ == "__main__":
    report(findings())
