"""Templates, styles and browser modules: nothing inline that the content policy refuses, nothing foreign, no |safe."""

import re
from collections.abc import Iterator

from scripts import tree
from scripts.findings import report

Patterns = dict[str, re.Pattern[str]]

TEMPLATES: Patterns = {
    "style attribute: the content policy refuses it, use a class": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "style element: styles stand in the style sheets": re.compile(r"<style[\s>]", re.IGNORECASE),
    "handler attribute: the content policy refuses it, use a module": re.compile(
        r"<[^>]*\son[a-z]+\s*=\s*[\"']", re.IGNORECASE
    ),
    "htmx code attribute: it needs eval": re.compile(
        r"\shx-on[:-]|hx-(vals|vars|headers)\s*=\s*[\"']\s*js(:|\b)", re.IGNORECASE
    ),
    "script without nonce or source": re.compile(
        r"<script(?![^>]*(\ssrc=|\snonce=|type=[\"']application/json))[^>]*>", re.IGNORECASE
    ),
    "|safe: escape, or build markup in kit": re.compile(r"\|\s*safe\b"),
    "autoescape off": re.compile(r"{%-?\s*autoescape\s+false"),
    "javascript: address": re.compile(r"[\"']\s*javascript:", re.IGNORECASE),
    "foreign address: pages load from their own host only": re.compile(
        r"<(script|link|img|iframe|source)\b[^>]*\s(src|href)\s*=\s*[\"']\s*(https?:)?//", re.IGNORECASE
    ),
}
MODULES: Patterns = {
    "HTML from a string: use textContent, or let the server draw it": re.compile(
        r"\.(innerHTML|outerHTML)\s*\+?=(?!=)|insertAdjacentHTML|document\.write"
    ),
    "code from a string": re.compile(r"(?<![\w.])eval\s*\(|new\s+Function\s*\(|set(Timeout|Interval)\s*\(\s*[\"'`]"),
    "foreign address: modules load from their own host only": re.compile(r"(import|from)\s*\(?\s*[\"'](https?:)?//"),
}
STYLES: Patterns = {
    "foreign address: styles load from their own host only": re.compile(
        r"(url\(\s*[\"']?|@import\s+[\"'])(https?:)?//"
    ),
}
BY_SUFFIX = {".html": TEMPLATES, ".js": MODULES, ".css": STYLES}


def findings() -> Iterator[str]:
    """Yield one line for each finding in the files that reach a browser."""
    for path in tree.files(*BY_SUFFIX, below=("src/",)):
        yield from (f"{path}:{line}: {message}" for line, message in look(path, tree.read(path)))


def look(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield line and finding for one file. Tags may run over lines, so the text is searched as a whole."""
    text = re.sub(r"{#.*?#}", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    for message, pattern in BY_SUFFIX["." + path.rpartition(".")[2]].items():
        for found in pattern.finditer(text):
            yield text.count("\n", 0, found.end()) + 1, message


if __name__ == "__main__":
    report(findings())
