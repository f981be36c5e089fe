"""What a JSON body must not be, found before any typed decoding.

The quick pass runs at the speed of C and only says whether something is wrong; the slow pass runs on refused bodies
and says what, and at which byte.
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from zena.kit.errors import Malformed

MAX_DEPTH: Final = 32
_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**63 - 1
_MAX_DIGITS: Final = 20

_BOM: Final = b"\xef\xbb\xbf"
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_TOKEN: Final = re.compile(
    rb'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<open>[\[{])|(?P<close>[\]}])'
    rb"|(?P<number>-?[0-9][0-9.eE+-]*)|(?P<constant>-?Infinity|NaN)|(?P<mark>[:,])",
    re.DOTALL,
)


class _RefusedError(ValueError):
    """Raised by a hook of the decoder; the slow pass finds out where."""


def check_json(body: bytes) -> None:
    """Raise Malformed with the byte offset for a body that is not plain, bounded, unambiguous JSON.

    Refused: a byte order mark, invalid UTF-8, nesting over 32, duplicate keys, NaN and Infinity, integers beyond
    64 bit, numbers that overflow, and everything that is not JSON at all.
    """
    if body.startswith(_BOM):
        _refuse("The body starts with a byte order mark.", 0)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse("The body is not valid UTF-8.", error.start)
    if _too_deep(body):
        _refuse(f"The body is nested deeper than {MAX_DEPTH} levels.", _depth_offset(body))
    try:
        _DECODER.decode(text)
    except _RefusedError as error:
        _refuse(str(error), _offset_of(str(error), body))
    except json.JSONDecodeError as error:
        _refuse(f"The body is not valid JSON: {error.msg}.", len(text[: error.pos].encode("utf-8")))


def _refuse(detail: str, offset: int) -> NoReturn:
    raise Malformed(f"{detail} (byte {offset})", details={"offset": offset})


def _too_deep(body: bytes) -> bool:
    """Tell whether brackets outside strings nest too deep; each pass removes the innermost level of all of them."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            return brackets.count(b"[") > MAX_DEPTH
        brackets = shorter
    return bool(brackets)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _RefusedError(_DUPLICATE)


def _integer(literal: str) -> None:
    if len(literal) > _MAX_DIGITS or not _MIN_INT <= int(literal) <= _MAX_INT:
        raise _RefusedError(_NUMBER)


def _real(literal: str) -> None:
    if not math.isfinite(float(literal)):
        raise _RefusedError(_NUMBER)


def _constant(_: str) -> NoReturn:
    raise _RefusedError(_CONSTANT)


_DUPLICATE: Final = "A key appears twice in one object."
_NUMBER: Final = "A number is out of range."
_CONSTANT: Final = "NaN and Infinity are not JSON."
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def _depth_offset(body: bytes) -> int:
    depth = 0
    for token in _TOKEN.finditer(body):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth > MAX_DEPTH:
            return token.start()
    return len(body)


def _offset_of(reason: str, body: bytes) -> int:
    """Return where the refused key or number stands."""
    if reason == _DUPLICATE:
        return _duplicate_offset(body)
    group = "number" if reason == _NUMBER else "constant"
    for token in _TOKEN.finditer(body):
        if token.lastgroup == group and (group == "constant" or _overflows(token[0].decode())):
            return token.start()
    return 0


def _overflows(literal: str) -> bool:
    try:
        (_real if set(literal) & set(".eE") else _integer)(literal)
    except ValueError:
        return True
    return False


def _duplicate_offset(body: bytes) -> int:
    keys: list[set[str]] = []
    previous: tuple[int, bytes] = (0, b"")
    for token in _TOKEN.finditer(body):
        if token.lastgroup == "open":
            keys.append(set())
        elif token.lastgroup == "close":
            keys.pop()
        elif token.lastgroup == "string":
            previous = (token.start(), token[0])
        elif token[0] == b":":
            name = json.loads(previous[1])
            if name in keys[-1]:
                return previous[0]
            keys[-1].add(name)
    return 0
