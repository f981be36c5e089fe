"""Who may do what to people, firms and ways in."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import func

from tests.factories import Firm
from tests.factories.support import make_visit
from tests.matrix import EVERYONE, STAFF, Row
from zena.accounts.models import ApiToken, Invitation
from zena.accounts.permissions import Permission, Role
from zena.accounts.secrecy import digest
from zena.kit.ids import new_id
from zena.kit.state import State
from zena.kit.uow import enter_tenant, unit_of_work

MANAGERS = "owner admin"
NEW_PASSWORD = "a-crane-lifts-27-beams"
ANY_VERSION: Any = lambda _: {"if-match": "*"}  # noqa: E731 - a value of a table


def same(status: int) -> dict[str, Any]:
    """The same answer for everybody, signed in or not."""
    return {"allow": EVERYONE, "ok": status, "other": status, "anonymous": status}


def sends(**values: Any) -> Any:
    return lambda _: values


def _address(_: Mapping[str, str]) -> dict[str, str]:
    return {"email": f"{token_hex(6)}@guest.test", "role": "member"}


def _token(_: Mapping[str, str]) -> dict[str, Any]:
    end = datetime.now(UTC) + timedelta(days=30)
    return {"name": "Crane", "scopes": ["tasks.view"], "expires_at": end.isoformat()}


NEWCOMER = sends(token="dead", name="A", password=NEW_PASSWORD)

AUTH = [
    Row("POST", "/api/v1/auth/login", json=sends(email="a@b.test"), **same(422)),
    Row("POST", "/api/v1/auth/mfa", json=sends(code="123456"), **same(401)),
    Row("POST", "/api/v1/auth/logout", EVERYONE, ok=204),
    Row("POST", "/api/v1/auth/confirmation", EVERYONE, ok=422, json=sends(code="123456")),
    Row("POST", "/api/v1/auth/password", EVERYONE, ok=204, json=sends(current="", new=NEW_PASSWORD)),
    Row("POST", "/api/v1/auth/password/reset-request", json=sends(email="nobody@nowhere.test"), **same(202)),
    Row("POST", "/api/v1/auth/password/reset", json=sends(token="dead", password=NEW_PASSWORD), **same(401)),
    Row("POST", "/api/v1/auth/ticket", EVERYONE),
    Row("POST", "/api/v1/auth/invitation", json=sends(token="dead"), **same(404)),
    Row("POST", "/api/v1/auth/invitation/acceptance", EVERYONE, ok=404, json=sends(token="dead")),
    Row("POST", "/api/v1/auth/invitation/account", json=NEWCOMER, **same(404)),
    Row("POST", "/api/v1/auth/invitation/refusal", json=sends(token="dead"), **same(404)),
]

ME = [
    Row("GET", "/api/v1/me", EVERYONE),
    Row("PATCH", "/api/v1/me", EVERYONE, headers=ANY_VERSION, json=sends(name="Somebody")),
    Row("GET", "/api/v1/me/tenants", EVERYONE),
    Row("POST", "/api/v1/me/tenants/{tenant_id:uuid}/activation", EVERYONE),
    Row("GET", "/api/v1/me/sessions", EVERYONE),
    Row("DELETE", "/api/v1/me/sessions", EVERYONE, ok=204),
    Row("DELETE", "/api/v1/me/sessions/{session_id:uuid}", "owner", ok=204, deny=404),
    Row("GET", "/api/v1/me/mfa", EVERYONE),
    Row("POST", "/api/v1/me/mfa", EVERYONE),
    Row("POST", "/api/v1/me/mfa/confirmation", EVERYONE, ok=409, json=sends(code="123456")),
    Row("DELETE", "/api/v1/me/mfa", EVERYONE, ok=409),
    Row("POST", "/api/v1/me/mfa/recovery-codes", EVERYONE, ok=409),
]

APP = [
    Row("GET", "/api/v1/app/members", STAFF),
    Row("GET", "/api/v1/app/members/{member_id:uuid}", STAFF),
    Row("PATCH", "/api/v1/app/members/{member_id:uuid}", MANAGERS, headers=ANY_VERSION, json=sends(role="pm")),
    Row("DELETE", "/api/v1/app/members/{member_id:uuid}", MANAGERS, ok=204),
    Row("POST", "/api/v1/app/members/{member_id:uuid}/ownership", "owner"),
    Row("DELETE", "/api/v1/app/membership", EVERYONE, ok=204, by={"owner": 409, "other_tenant": 409}),
    Row("GET", "/api/v1/app/invitations", MANAGERS),
    Row("POST", "/api/v1/app/invitations", MANAGERS, ok=201, json=_address),
    Row("DELETE", "/api/v1/app/invitations/{invitation_id:uuid}", MANAGERS, ok=204),
    Row("POST", "/api/v1/app/invitations/{invitation_id:uuid}/delivery", MANAGERS),
    Row("GET", "/api/v1/app/tokens", EVERYONE),
    Row("POST", "/api/v1/app/tokens", EVERYONE, ok=201, json=_token),
    Row("DELETE", "/api/v1/app/tokens/{token_id:uuid}", f"{MANAGERS} pm", ok=204),
    Row("GET", "/api/v1/app/audit", MANAGERS),
    Row("GET", "/api/v1/app/audit/verification", MANAGERS),
    Row("GET", "/api/v1/app/settings", EVERYONE),
    Row("PATCH", "/api/v1/app/settings", MANAGERS, headers=ANY_VERSION, json=sends(name="Firm")),
]

WAYS_IN = [
    Row("GET", "/sign-in", EVERYONE, ok=303, anonymous=200),
    Row("POST", "/sign-in", form=sends(email="", password=""), **same(422)),
    Row("GET", "/sign-in/code", **same(303)),
    Row("POST", "/sign-in/code", form=sends(code="123456"), **same(422)),
    Row("GET", "/sign-in/link/{token:str}", **same(404)),
    Row("POST", "/sign-in/link/{token:str}", form=sends(), **same(404)),
    Row("GET", "/confirm", EVERYONE),
    Row("POST", "/confirm", EVERYONE, ok=422, form=sends(password="")),
    Row("POST", "/sign-out", EVERYONE, ok=303, form=sends()),
    Row("GET", "/set-up/{token:str}", **same(404)),
    Row("POST", "/set-up/{token:str}", form=sends(), **same(404)),
    Row("GET", "/invitation/{token:str}", **same(404)),
    Row("POST", "/invitation/{token:str}", form=sends(), **same(404)),
    Row("POST", "/invitation/{token:str}/refusal", form=sends(), **same(404)),
    Row("GET", "/reset", **same(200)),
    Row("POST", "/reset", form=sends(email="nobody@nowhere.test"), **same(200)),
    Row("GET", "/reset/{token:str}", **same(404)),
    Row("POST", "/reset/{token:str}", form=sends(password=NEW_PASSWORD), **same(404)),
]

PAGES = [
    Row("GET", "/firms", EVERYONE),
    Row("POST", "/firms/{tenant_id:uuid}", EVERYONE, ok=303, form=sends()),
    Row("POST", "/membership/departure", EVERYONE, ok=303, form=sends(), by={"owner": 422, "other_tenant": 422}),
    Row("GET", "/members", STAFF),
    Row("POST", "/members/{member_id:uuid}/role", MANAGERS, ok=303, form=sends(role="pm")),
    Row("POST", "/members/{member_id:uuid}/departure", MANAGERS, ok=303, form=sends()),
    Row("GET", "/members/{member_id:uuid}/ownership", "owner"),
    Row("POST", "/members/{member_id:uuid}/ownership", "owner", ok=303, form=sends()),
    Row("POST", "/invitations", MANAGERS, ok=200, form=_address),
    Row("POST", "/invitations/{invitation_id:uuid}/delivery", MANAGERS, ok=200, form=sends()),
    Row("POST", "/invitations/{invitation_id:uuid}/revocation", MANAGERS, ok=303, form=sends()),
    Row("GET", "/profile", EVERYONE),
    Row("POST", "/profile", EVERYONE, ok=303, form=sends(name="Somebody")),
    Row("GET", "/profile/security", EVERYONE),
    Row("POST", "/profile/password", EVERYONE, ok=303, form=sends(current="", new=NEW_PASSWORD)),
    Row("POST", "/profile/sessions/end", EVERYONE, ok=303, form=sends()),
    Row("POST", "/profile/sessions/{session_id:uuid}/end", "owner", ok=303, deny=404, form=sends()),
    Row("POST", "/profile/second-factor", EVERYONE, form=sends()),
    Row("POST", "/profile/second-factor/confirmation", EVERYONE, ok=422, form=sends(code="1")),
    Row("POST", "/profile/second-factor/removal", EVERYONE, ok=409, form=sends()),
    Row("POST", "/profile/recovery-codes", EVERYONE, ok=409, form=sends()),
    Row("GET", "/profile/tokens", EVERYONE),
    Row("POST", "/profile/tokens", EVERYONE, ok=200, form=sends(name="Crane", scopes="tasks.view", days="30")),
    Row("POST", "/profile/tokens/{token_id:uuid}/revocation", f"{MANAGERS} pm", ok=303, form=sends()),
    Row("GET", "/audit", MANAGERS),
    Row("GET", "/settings", MANAGERS),
    Row("POST", "/settings", MANAGERS, ok=303, form=sends(name="Firm")),
    Row("GET", "/settings/support", MANAGERS),
    Row("POST", "/settings/support/{visit_id:uuid}/end", MANAGERS, ok=303, form=sends()),
    Row("POST", "/support/departure", EVERYONE, ok=303, form=sends()),
]

SUPPORT = [
    Row("GET", "/api/v1/app/support-visits", MANAGERS),
    Row("DELETE", "/api/v1/app/support-visits/{visit_id:uuid}", MANAGERS, ok=204),
]

ROWS = [*AUTH, *ME, *APP, *SUPPORT, *WAYS_IN, *PAGES]


async def furnish(state: State, firm: Firm) -> dict[str, str]:
    """A viewer to change, an invitation to take back, a pm's token to revoke, the owner's session to end."""
    owner, pm, viewer = firm.people[Role.OWNER], firm.people[Role.PM], firm.people[Role.VIEWER]
    invitation, token = new_id(), new_id()
    async with unit_of_work(state.db) as session:
        await enter_tenant(session, firm.tenant, owner.user)
        session.add(
            Invitation(
                tenant_id=firm.tenant,
                id=invitation,
                email=f"{token_hex(4)}@guest.test",
                role=Role.MEMBER,
                token_hash=digest(token_hex()),
                invited_by=owner.member,
                expires_at=func.now() + timedelta(days=7),
            )
        )
        session.add(
            ApiToken(
                tenant_id=firm.tenant,
                id=token,
                member_id=pm.member,
                name="Crane",
                prefix="zat_abcdef",
                token_hash=digest(token_hex()),
                scopes=[str(Permission.TASKS_VIEW)],
                expires_at=func.now() + timedelta(days=7),
            )
        )
    return {
        "visit_id": str(await make_visit(state.db, firm)),
        "tenant_id": str(firm.tenant),
        "member_id": str(viewer.member),
        "session_id": str(owner.session),
        "invitation_id": str(invitation),
        "token_id": str(token),
        "token": "dead",
    }
