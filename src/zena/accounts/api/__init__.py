"""The HTTP API of accounts: ways in, the person, the firm and its members."""

from zena.accounts.api import auth, firm, invitations, me, members, tokens

ROUTES = [
    *auth.ROUTES,
    *me.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *tokens.ROUTES,
    *firm.ROUTES,
]
