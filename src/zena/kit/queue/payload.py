"""What a job carries: ids and nothing else, so that no queue row holds content or secrets of a tenant."""

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

import msgspec

JobArgument: TypeAlias = UUID | str | int

#: Longest text argument. An id or a name of something fits; a document or a letter does not.
TEXT_LIMIT = 200


def pack_arguments(arguments: Mapping[str, JobArgument]) -> bytes:
    """Encode a job's arguments. Raises TypeError for anything but UUID, int and short str."""
    return msgspec.json.encode({name: _tagged(name, value) for name, value in arguments.items()})


def unpack_arguments(payload: bytes | None) -> dict[str, JobArgument]:
    """Decode what `pack_arguments` made. Raises ValueError for anything else."""
    decoded = msgspec.json.decode(payload or b"{}", type=dict[str, dict[str, str | int]])
    return {name: _untagged(tagged) for name, tagged in decoded.items()}


def _tagged(name: str, value: JobArgument) -> dict[str, JobArgument]:
    match value:
        case bool():
            raise TypeError(f"job argument {name} is a bool; jobs carry ids only")
        case UUID():
            return {"uuid": value}
        case int():
            return {"int": value}
        case str() if len(value) <= TEXT_LIMIT:
            return {"str": value}
        case _:
            raise TypeError(f"job argument {name} is no UUID, int or short str; jobs carry ids only")


def _untagged(tagged: Mapping[str, str | int]) -> JobArgument:
    match tagged:
        case {"uuid": str(value)}:
            return UUID(value)
        case {"int": int(value)}:
            return value
        case {"str": str(value)}:
            return value
        case _:
            raise ValueError("a job's payload is not ours")
