"""Identifiers made by the application."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): sortable by time of creation, never a capability."""
    return UUID(int=uuid_utils.uuid7().int)
