"""The frames of the protocol: JSON objects, told apart by `op`. In an event frame `type` is the event's own."""

from typing import Any, Final, TypeAlias

import msgspec

from zena.kit.errors import plain_text
from zena.kit.realtime.channels import Channel
from zena.kit.registry import EventRow


class Authenticate(msgspec.Struct, frozen=True, tag_field="op", tag="authenticate", forbid_unknown_fields=True):
    token: str | None = None
    ticket: str | None = None


class Subscribe(msgspec.Struct, frozen=True, tag_field="op", tag="subscribe", forbid_unknown_fields=True):
    channel: str
    since: int | None = None


class Unsubscribe(msgspec.Struct, frozen=True, tag_field="op", tag="unsubscribe", forbid_unknown_fields=True):
    channel: str


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping", forbid_unknown_fields=True):
    pass


Said: TypeAlias = Authenticate | Subscribe | Unsubscribe | Ping
_SAID: Final[msgspec.json.Decoder[Said]] = msgspec.json.Decoder(Said)


class Unreadable(Exception):  # noqa: N818 - what the frame is
    """A frame that is not JSON."""


class Misformed(Exception):  # noqa: N818 - what the frame is
    """JSON, but not a message of the protocol."""


def read_frame(text: str) -> Said:
    """Decode what a client said."""
    try:
        return _SAID.decode(text)
    except msgspec.ValidationError as error:
        raise Misformed(str(error)) from error
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Unreadable("frames are JSON objects in UTF-8") from error


def frame(op: str, **members: Any) -> str:
    """Encode a frame; members that are None are left out."""
    said = {"op": op, **{name: value for name, value in members.items() if value is not None}}
    return msgspec.json.encode(said, enc_hook=plain_text).decode()


def error_frame(code: str, message: str, channel: str | None = None, *, retry_after: float | None = None) -> str:
    return frame("error", code=code, message=message, channel=channel, retry_after=retry_after)


def restart_frame(pause: float) -> str:
    """Encode the last word of a server that restarts: come again after so many seconds."""
    return error_frame("restarting", "The server restarts. Come again.", retry_after=pause)


def event_frame(channel: Channel, row: EventRow) -> str:
    """Encode an event for one channel. It says what happened to what; contents are read through the ordinary doors."""
    data = {
        "id": row.id,
        "actor": row.actor,
        "subject_type": row.subject_type,
        "subject_id": row.subject_id,
        "project_id": row.project_id,
        "batch_id": row.batch_id,
        "at": row.at,
    }
    return frame("event", channel=str(channel), position=row.position, type=row.type, data=data)
