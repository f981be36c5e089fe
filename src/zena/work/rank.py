"""Ranks: text keys that order a list under COLLATE "C", so that a move changes one row.

A key is a fraction written in base 62 after an invisible point: "V" is about one half. Keys never end in the lowest
digit, so there is always room between two of them. What is added at the end takes its rank from its number.
"""

from collections.abc import Iterator

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: A rank longer than this is a crowd: its neighbourhood is spread anew.
CROWDED = 120

_BASE = len(DIGITS)
_VALUE = {digit: value for value, digit in enumerate(DIGITS)}
_NUMBER_WIDTH = 6
_HALF = DIGITS[_BASE // 2]


def rank_of(number: int) -> str:
    """Return the rank of what gets this number in a growing list: behind all smaller numbers, no look-up needed."""
    return _written(number, _NUMBER_WIDTH) + _HALF


def between(before: str | None, after: str | None) -> str:
    """Return a key after `before` and before `after`; None stands for the end on that side.

    Raises ValueError unless before < after.
    """
    low, high = before or "", after
    if high is not None and low >= high:
        raise ValueError("the keys are not in order")
    if high is None:
        return _next(low)
    if not low:
        return _previous(high)
    return _middle(low, high)


def spread(count: int, low: str, high: str) -> Iterator[str]:
    """Return `count` keys in order between two keys, as short as their distance allows; "" is the very beginning."""
    if count:
        half = count // 2
        middle = _middle(low, high)
        yield from spread(half, low, middle)
        yield middle
        yield from spread(count - half - 1, middle, high)


def _middle(low: str, high: str) -> str:
    """Return a short key strictly between; digits missing in `low` count as the lowest."""
    shared = 0
    while shared < len(high) and (low[shared] if shared < len(low) else DIGITS[0]) == high[shared]:
        shared += 1
    head, low, high = high[:shared], low[shared:], high[shared:]
    first = _VALUE[low[0]] if low else 0
    gap = _VALUE[high[0]] - first
    if gap > 1:
        return head + DIGITS[first + gap // 2]
    if len(high) > 1:
        return head + high[0]
    return head + DIGITS[first] + _next(low[1:])


def _next(low: str) -> str:
    """Return a short key after `low`, leaving most of the room for what comes behind it."""
    for place, digit in enumerate(low):
        if _VALUE[digit] < _BASE - 1:
            return low[:place] + DIGITS[_VALUE[digit] + 1]
    return low + _HALF


def _previous(high: str) -> str:
    """Return a short key before `high`, leaving most of the room for what comes in front of it."""
    place = next(place for place, digit in enumerate(high) if digit != DIGITS[0])
    value = _VALUE[high[place]]
    return high[:place] + (DIGITS[value - 1] if value > 1 else DIGITS[0] + DIGITS[-1])


def _written(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, _BASE)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
