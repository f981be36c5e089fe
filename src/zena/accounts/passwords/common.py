"""Common passwords by rule: a short list of stems, and what people do to them (figures, signs, leet, doubling).

Covers the published top thousands better than a copy of one: `P@ssw0rd2024!` is not on the lists, its stem is.
"""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

_LEET: Final = str.maketrans("0134578@$!|+€", "oieastbasiite")
_ROWS: Final = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb",
    "1q2w3e4r5t6y7u8i9o0p",
)
_TRIMMED: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_TAIL: Final = re.compile(r"[\W\d_]+$")
_DATE: Final = re.compile(r"(?:19|20)\d\d[-./]?[01]?\d[-./]?[0-3]?\d|[0-3]?\d[-./]?[01]?\d[-./]?(?:19|20)\d\d")
#: What may stand around a stem without making it less common.
_PADDING: Final = 6
_FEW: Final = 3
#: Nobody tries words of this length first.
_LONG: Final = 64
_STEP_SHARE: Final = 0.75


def is_common(password: str) -> bool:
    """Tell whether a password is a well-known word, walk, sequence, date or repetition, however decorated."""
    folded = password.casefold()
    if len(folded) > _LONG:
        return len(set(folded)) <= _FEW
    return (
        len(set(folded)) <= _FEW
        or _is_walk(folded)
        or bool(_DATE.fullmatch(folded))
        or _is_repetition(folded)
        or _is_stem(folded)
        or _is_stem(folded.translate(_LEET))
        or _is_stem(_TAIL.sub("", folded).translate(_LEET))
    )


@cache
def stems() -> frozenset[str]:
    """Return the list: words, names and phrases, lower case, letters only."""
    lines = (Path(__file__).parent / "stems.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _is_stem(folded: str) -> bool:
    bare = _TRIMMED.sub("", folded)
    if len(folded) - len(bare) > _PADDING and bare not in stems():
        return False
    joined = re.sub(r"[\W_]", "", bare)
    return joined in stems() or _is_two_stems(joined)


def _is_two_stems(joined: str) -> bool:
    return any(joined[:cut] in stems() and joined[cut:] in stems() for cut in range(3, len(joined) - 2))


def _is_repetition(folded: str) -> bool:
    """`abcabcabc`, `pass1pass1`: one short piece over and over."""
    return any(
        len(folded) % size == 0 and folded == folded[:size] * (len(folded) // size)
        for size in range(1, len(folded) // 2 + 1)
    )


def _is_walk(folded: str) -> bool:
    """`qwertyui`, `12345678`, `abcdefgh`, `zxcvbnm1`: most steps go to the neighbouring key or letter."""
    steps = list(pairwise(folded))
    near = sum(abs(ord(a) - ord(b)) <= 1 or _beside(a, b) for a, b in steps)
    return near >= _STEP_SHARE * len(steps)


def _beside(a: str, b: str) -> bool:
    return any(a + b in row or b + a in row for row in _ROWS)
