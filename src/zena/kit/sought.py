"""What somebody asked for that their firm does not have. Whether another firm has it is found out later, elsewhere."""

from typing import NamedTuple
from uuid import UUID


class Sought(NamedTuple):
    """One thing: who asked, by which session or token, on which route. `reference` is an id or a key like HBR-12."""

    tenant: UUID
    user: UUID
    way: UUID | None
    kind: str
    reference: str
    route: str
    request_id: str
    client: str
