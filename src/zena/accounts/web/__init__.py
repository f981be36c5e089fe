"""The pages of accounts: ways in, one's own page, members, the firm."""

from zena.accounts.web import (
    firm,
    firms,
    invitation,
    members,
    profile,
    reset,
    second_factor,
    set_up,
    sign_in,
    support,
    tokens,
)

ROUTES = [
    *sign_in.ROUTES,
    *set_up.ROUTES,
    *invitation.ROUTES,
    *reset.ROUTES,
    *firms.ROUTES,
    *members.ROUTES,
    *profile.ROUTES,
    *second_factor.ROUTES,
    *tokens.ROUTES,
    *firm.ROUTES,
    *support.ROUTES,
]
