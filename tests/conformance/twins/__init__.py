"""Every verb that a page and the API both offer, and the pages that have no like."""

from tests.conformance.twins import accounts, people, projects, tasks

TWINS = [*accounts.TWINS, *people.TWINS, *projects.TWINS, *tasks.TWINS]

#: Pages that change something and have no like in the API, each with its reason.
ALONE = {
    "POST /set-up/{token}": "the first owner of an installation, before there is anybody who could call the API",
    "POST /ops/tenants/{tenant_id}/visit": "for a browser that proved a second factor just now",
    "POST /ops/incidents/{number}/orders": "for such a browser too; on the server, `zena incident` and `zena runbook`",
    "POST /support/departure": "leaves such a visit, in that browser",
    "POST /sign-in/link/{token}": "a link from the command line of the server, for a browser",
}

#: Twins whose rows in the matrix differ, each with its reason.
OTHERWISE = {
    "POST /sign-in/code = POST /api/v1/auth/mfa": "who has given no password is shown the form; a caller is told 401",
    "POST /invitation/{token} = POST /api/v1/auth/invitation/acceptance": "one page for the known and the unknown,"
    " two verbs of the API: this one is of the known, and asks anybody else to sign in",
    "POST /reset/{token} = POST /api/v1/auth/password/reset": "a dead link is an address where nothing is; sent in a"
    " body it is proof that does not hold, 401",
}
