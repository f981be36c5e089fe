"""The HTTP API of accounts: ways in, the person, the firm and its members."""

from zena.accounts.api import auth, firm, invitations, me, members, support, tokens

ROUTES = [
    *auth.ROUTES,
    *me.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *tokens.ROUTES,
    *firm.ROUTES,
    *support.ROUTES,
]
