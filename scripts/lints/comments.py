"""A rule is switched off only with a reason behind it."""

import io
import re
import tokenize
from collections.abc import Iterator

from scripts.lints.rule import Finding, Rule, Sample, Source

_SWITCH = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no cover|allow:|nosec)")
_FORMS = "`# noqa: RULE - why` or `# type: ignore[rule]  # why`"
_REASONED = (
    re.compile(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \S"),
    re.compile(r"# type: ignore\[[\w, -]+\]  # \S"),  # mypy reads nothing but a second comment after the bracket
    re.compile(r"# (pragma: no cover|allow: [a-z-]+) - \S"),
)


def _find(source: Source) -> Iterator[Finding]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and _SWITCH.match(token.string) and not _reasoned(token.string):
            yield token.start[0], f"`{token.string}` names no rule or no reason; write {_FORMS}"


def _reasoned(comment: str) -> bool:
    return any(form.match(comment) for form in _REASONED)


_AT = "src/zena/kit/db.py"
REASONS = Rule(
    "reasons",
    "who meets a switched-off rule must be able to tell whether the reason still holds",
    _find,
    good=(
        Sample(_AT, "import x  # noqa: F401, E501 - registers itself"),
        Sample(_AT, "y = x  # type: ignore[attr-defined]  # the stub lacks it"),
        Sample(_AT, 'text = "# noqa"'),
    ),
    bad=(
        Sample(_AT, "import x  # noqa"),
        Sample(_AT, "import x  # noqa: F401"),
        Sample(_AT, "y = x  # type: ignore[attr-defined]"),
        Sample(_AT, "y = x  # allow: sql-literal"),
    ),
)
