"""Pages of work as a browser of ours uses them: forms with the session's token, with or without htmx."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.factories import Firm
from zena.accounts.permissions import Role
from zena.kit.csrf import form_token


@dataclass(slots=True)
class Pages:
    """One person's browser."""

    firm: Firm
    http: httpx.AsyncClient
    role: str = "pm"

    async def open(self, url: str, **headers: str) -> httpx.Response:
        return await self.firm.client(self.http, self.role).get(url, headers={"accept": "text/html", **headers})

    async def send(self, url: str, fields: Any = None, *, htmx: bool = False) -> httpx.Response:
        headers = {"x-zena-token": form_token(self.firm.people[Role(self.role)].form_secret), "accept": "text/html"}
        if htmx:
            headers["hx-request"] = "true"
        return await self.firm.client(self.http, self.role).post(url, data=fields or {}, headers=headers)

    def of(self, role: str) -> "Pages":
        return Pages(self.firm, self.http, role)
