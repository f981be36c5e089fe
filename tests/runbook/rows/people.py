"""Somebody cannot sign in."""

import json

import httpx

from tests.runbook.live import FIRM, LOCKED, OWNER, PASSWORD, Live
from tests.runbook.walk import Walk, row

HERE = "127.0.0.1"
GUEST = "sara.klein@meridian.example"


def sign_in(live: Live, email: str, password: str = PASSWORD) -> int:
    return httpx.post(f"{live.url}/api/v1/auth/login", json={"email": email, "password": password}).status_code


@row("User::where('email', 'user@example.com')->first()->is_active")
def is_active(walk: Walk) -> None:
    assert sign_in(walk.live, LOCKED) == 429, "the right password, after too many wrong ones"
    said = walk("zena why login EMAIL --ip ADDRESS", code=1, EMAIL=LOCKED, ADDRESS=HERE)
    links = {one["link"]: one for one in said.data["chain"]}
    assert links["active"]["holds"]
    assert (said.data["broken"], links["password"]["holds"]) == ("waits after wrong attempts", True)
    assert f"zena user unlock {LOCKED}" in said.text


@row("Hash::check('password', $user->password)")
def unlock(walk: Walk) -> None:
    said = walk.once("zena user unlock EMAIL --ip ADDRESS", as_json=True, EMAIL=LOCKED, ADDRESS=HERE)
    assert said.data["counters"] >= 1
    assert sign_in(walk.live, LOCKED) == 200
    assert walk.live.site.run("why", "login", LOCKED, "--ip", HERE).code == 0


@row("$user->password = Hash::make('new_password')")
def reset_link(walk: Walk) -> None:
    link = walk.once("zena user reset-link EMAIL", EMAIL=GUEST).text.strip()
    assert link.startswith(f"{walk.live.url}/reset/"), "at the address the server has"
    chosen = {"password": "sand-harbour-29"}
    origin = {"origin": walk.live.url}
    assert httpx.post(link, data=chosen, headers=origin).status_code == 303
    assert sign_in(walk.live, GUEST, chosen["password"]) == 200
    assert httpx.post(link, data={"password": "another-one-31"}, headers=origin).status_code >= 400, "it works once"


@row("$user->is_active = true")
def activate(walk: Walk) -> None:
    walk.live.site.run("user", "reset-link", OWNER)
    out = walk.once("zena user deactivate EMAIL --yes", EMAIL=GUEST)
    assert out.text == f"{GUEST} is shut out\n"
    assert sign_in(walk.live, GUEST, "sand-harbour-29") == 401
    assert walk.live.site.run("why", "login", GUEST).out.splitlines()[-1] == "first broken link: active"
    back = walk.once("zena user activate EMAIL", as_json=True, EMAIL=GUEST)
    assert back.data == {"email": GUEST, "changed": True}
    assert sign_in(walk.live, GUEST, "sand-harbour-29") == 200


@row("is Sanctum set up, does a token work")
def token(walk: Walk) -> None:
    command = 'curl -s -H "Authorization: Bearer TOKEN" URL/api/v1/me'
    found = json.loads(walk.once(command, TOKEN=walk.live.token, URL=walk.live.url).text)
    assert (found["user"]["email"], found["tenant"]) == (OWNER, walk.live.tenant)
    assert "tasks.view" in found["permissions"]
    assert "members.manage" not in found["permissions"], "the token has fewer than its owner"
    assert json.loads(walk.once(command, TOKEN="nonsense", URL=walk.live.url).text)["code"] == "TOKEN_INVALID"


@row("User::find('user_id')->tenant_id")
def user(walk: Walk) -> None:
    said = walk("zena user show EMAIL", EMAIL=OWNER)
    [firm] = said.data["firms"]
    assert (firm["slug"], firm["role"]) == (FIRM, "owner")
    assert (said.data["is_active"], said.data["is_operator"]) == (True, False)
    assert f"firm            {FIRM} (active): owner" in said.text
