"""The firm: its settings, its members, and who is asked to join."""

from tests.conformance.sides import Side
from tests.conformance.twins.accounts import NEW_PASSWORD
from tests.conformance.twins.shape import Twin, both


async def offered(side: Side) -> None:
    """An invitation whose link somebody holds."""
    made = await side.tell("POST", "/api/v1/app/invitations", {"email": side.ids["newcomer"], "role": "member"})
    side.ids["token"] = made["link"].rpartition("/")[2]


async def offered_to_known(side: Side) -> None:
    """An invitation for the address of a viewer who left."""
    await side.tell("DELETE", "/api/v1/app/members/{viewer}")
    await side.revive("viewer")
    side.ids["newcomer"] = side.ids["viewer_email"]
    await offered(side)


_MEMBERS = [
    Twin("POST /membership/departure", "DELETE /api/v1/app/membership", by="pm"),
    Twin("POST /members/{viewer}/role", "PATCH /api/v1/app/members/{viewer}", *both(role="pm")),
    Twin("POST /members/{viewer}/departure", "DELETE /api/v1/app/members/{viewer}"),
    Twin("POST /members/{viewer}/ownership", "POST /api/v1/app/members/{viewer}/ownership"),
    Twin("POST /settings/support/{visit_id}/end", "DELETE /api/v1/app/support-visits/{visit_id}"),
    Twin(
        "POST /settings",
        "PATCH /api/v1/app/settings",
        *both(name="Firm", currency="EUR", timezone="Europe/Paris", locale="vi"),
        bad=(both(name=""), both(currency="BTC")),
    ),
]

_INVITATIONS = [
    Twin(
        "POST /invitations",
        "POST /api/v1/app/invitations",
        *both(email="$newcomer", role="pm"),
        bad=(both(email="nowhere", role="pm"), both(email="$member_email", role="pm")),
    ),
    Twin("POST /invitations/{invitation_id}/delivery", "POST /api/v1/app/invitations/{invitation_id}/delivery"),
    Twin("POST /invitations/{invitation_id}/revocation", "DELETE /api/v1/app/invitations/{invitation_id}"),
    Twin(
        "POST /invitation/{token}",
        "POST /api/v1/auth/invitation/account",
        {"name": "New", "password": NEW_PASSWORD},
        {"token": "$token", "name": "New", "password": NEW_PASSWORD},
        by="nobody",
        first=offered,
        bad=(({"name": "New", "password": "short"}, {"token": "$token", "name": "New", "password": "short"}),),
    ),
    Twin(
        "POST /invitation/{token}",
        "POST /api/v1/auth/invitation/acceptance",
        json={"token": "$token"},
        by="viewer",
        first=offered_to_known,
    ),
    Twin(
        "POST /invitation/{token}/refusal",
        "POST /api/v1/auth/invitation/refusal",
        json={"token": "$token"},
        by="nobody",
        first=offered,
    ),
]

TWINS = [*_MEMBERS, *_INVITATIONS]
