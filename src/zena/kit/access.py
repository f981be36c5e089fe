"""What a route demands of its caller, declared on the route itself: `@get("/x", opt=may(Permission.X))`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litestar.connection import ASGIConnection


class Door(StrEnum):
    """How far somebody must have come before the route runs."""

    PUBLIC = "public"  # nobody need be signed in
    PERSON = "person"  # signed in, tenant not needed
    TENANT = "tenant"  # acting in a tenant, with `permission` where one is named
    OPERATOR = "operator"  # platform staff


@dataclass(frozen=True, slots=True)
class Access:
    """The demand of one route."""

    door: Door
    permission: str | None = None
    choosy: bool = False
    """Open to people who are not signed in, but not to all of them: the route itself refuses."""


def public(*, choosy: bool = False) -> dict[str, Any]:
    return {"access": Access(Door.PUBLIC, choosy=choosy)}


def signed_in() -> dict[str, Any]:
    return {"access": Access(Door.PERSON)}


def in_tenant() -> dict[str, Any]:
    """Any member of the tenant, whatever the role."""
    return {"access": Access(Door.TENANT)}


def may(permission: str) -> dict[str, Any]:
    """A member who holds the permission (and a token that carries it)."""
    return {"access": Access(Door.TENANT, str(permission))}


def operator() -> dict[str, Any]:
    return {"access": Access(Door.OPERATOR)}


def access_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Access:
    """Return what the connection's route demands; every route has one (checked when the app is built)."""
    access: Access = connection.route_handler.opt["access"]
    return access
