"""Signing in and out, one's own profile, second factor, sessions and tokens."""

from datetime import UTC, datetime, timedelta

from tests.accounts.browser import PASSWORD
from tests.conformance.sides import Side
from tests.conformance.twins.shape import Twin, both

NEW_PASSWORD = "a-crane-lifts-27-beams"
LONG = "x" * 300
IN_30_DAYS = (datetime.now(UTC) + timedelta(days=30)).isoformat()

_SIGN_IN = [
    Twin(
        "POST /sign-in",
        "POST /api/v1/auth/login",
        *both(email="$member_email", password=PASSWORD),
        by="nobody",
        first=Side.passwords,
        bad=(both(email="$member_email", password="wrong"),),
    ),
    Twin(
        "POST /sign-in/code",
        "POST /api/v1/auth/mfa",
        *both(code="$code"),
        by="half",
        first=Side.half,
        bad=(both(code="000000"),),
    ),
    Twin(
        "POST /confirm",
        "POST /api/v1/auth/confirmation",
        *both(password=PASSWORD),
        first=Side.passwords,
        bad=(both(password="wrong"),),
    ),
    Twin("POST /sign-out", "POST /api/v1/auth/logout"),
    Twin(
        "POST /reset",
        "POST /api/v1/auth/password/reset-request",
        *both(email="$member_email"),
        by="nobody",
        first=Side.passwords,
    ),
    Twin(
        "POST /reset/{token}",
        "POST /api/v1/auth/password/reset",
        {"password": NEW_PASSWORD},
        {"token": "$token", "password": NEW_PASSWORD},
        by="nobody",
        first=Side.forgotten,
        bad=(({"password": "short"}, {"token": "$token", "password": "short"}),),
    ),
    Twin("POST /firms/{tenant_id}", "POST /api/v1/me/tenants/{tenant_id}/activation"),
]

_PROFILE = [
    Twin(
        "POST /profile",
        "PATCH /api/v1/me",
        {"name": "Somebody", "locale": "vi", "timezone": "", "theme": "dark"},
        {"name": "Somebody", "locale": "vi", "timezone": None, "theme": "dark"},
        bad=(both(name=LONG), both(timezone="Mars/Olympus"), both(theme="loud")),
    ),
    Twin(
        "POST /profile/password",
        "POST /api/v1/auth/password",
        *both(current=PASSWORD, new=NEW_PASSWORD),
        first=Side.passwords,
        bad=(both(current=PASSWORD, new="short"), both(current="wrong", new=NEW_PASSWORD)),
    ),
    Twin("POST /profile/sessions/end", "DELETE /api/v1/me/sessions", first=Side.elsewhere),
    Twin("POST /profile/sessions/{session_id}/end", "DELETE /api/v1/me/sessions/{session_id}"),
    Twin("POST /profile/second-factor", "POST /api/v1/me/mfa"),
    Twin(
        "POST /profile/second-factor/confirmation",
        "POST /api/v1/me/mfa/confirmation",
        *both(code="$code"),
        first=Side.begun,
        bad=(both(code="000000"),),
    ),
    Twin("POST /profile/second-factor/removal", "DELETE /api/v1/me/mfa", first=Side.enrolled),
    Twin("POST /profile/recovery-codes", "POST /api/v1/me/mfa/recovery-codes", first=Side.enrolled),
    Twin(
        "POST /profile/tokens",
        "POST /api/v1/app/tokens",
        {"name": "Crane", "scopes": ["tasks.view", "tasks.update"], "days": "30"},
        {"name": "Crane", "scopes": ["tasks.view", "tasks.update"], "expires_at": IN_30_DAYS},
        bad=tuple(
            ({"name": name, "scopes": scopes, "days": "30"}, {"name": name, "scopes": scopes, "expires_at": IN_30_DAYS})
            for name, scopes in (("", ["tasks.view"]), ("Crane", []), ("Crane", ["no.such"]))
        ),
    ),
    Twin("POST /profile/tokens/{token_id}/revocation", "DELETE /api/v1/app/tokens/{token_id}"),
]

TWINS = [*_SIGN_IN, *_PROFILE]
