"""J05 on a running installation: keys change under load and nobody notices; a backup of before still works."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import httpx
import pyotp
import pytest

from tests.kit.bed import until
from tests.kit.pg import open_folder
from tests.operate.backups import House, installation
from tests.operate.site import Site
from tests.operate.visitor import APP, PASSWORD, Visitor
from zena.accounts.vault import Vault
from zena.kit.exits import Exit
from zena.settings import KeyRing, load_backup_keys, load_keys

pytestmark = pytest.mark.proof  # real processes and servers, many times over

MANY = dict.fromkeys(("ZENA_RATE_USER", "ZENA_RATE_TENANT", "ZENA_RATE_ANONYMOUS", "ZENA_RATE_SIGN_IN"), 1000000)
SEED = "JBSWY3DPEHPK3PXP"


@dataclass
class Life:
    """Somebody with a second factor, who turns pages without pause."""

    who: Visitor
    seed: str = ""
    step: int = 0
    codes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    turned: int = 0

    def browser(self) -> httpx.AsyncClient:
        made = self.who.client()
        made.headers["cookie"] = self.who.cookie.partition(";")[0]
        del made.headers["authorization"]
        return made

    async def enrol(self) -> None:
        async with self.browser() as browser:
            self.seed = (await browser.post("/api/v1/me/mfa")).json()["secret"]
            done = await browser.post("/api/v1/me/mfa/confirmation", json={"code": self.code()})
            self.codes = done.json()["recovery_codes"]

    def code(self) -> str:
        """A code that was not used yet: the one before this moment, this one, the next."""
        self.step = max(self.step + 1, int(time.time()) // 30 - 1)
        assert self.step <= int(time.time()) // 30 + 1, "the codes of this minute are used up"
        return pyotp.TOTP(self.seed).at(self.step * 30)

    async def enters(self, code: str) -> int:
        """Sign in anew, with this code as the second step."""
        async with self.who.client() as browser:
            del browser.headers["authorization"]
            wish = {"email": self.who.email, "password": PASSWORD}
            half = await browser.post("/api/v1/auth/login", json=wish)
            assert half.json()["stage"] == "mfa", half.text
            browser.headers["cookie"] = half.headers["set-cookie"].partition(";")[0]
            browser.cookies.clear()
            return (await browser.post("/api/v1/auth/mfa", json={"code": code})).status_code

    async def turn_pages(self, over: asyncio.Event) -> None:
        """Read a list page by page as a session and as a token; each answer may come from another process."""
        async with self.browser() as session, self.who.client() as program:
            while not over.is_set():
                for client in (session, program):
                    page = {"limit": 1}
                    for _ in range(4):
                        answer = await client.get(f"{APP}/tasks", params=page)
                        if answer.status_code != httpx.codes.OK:
                            self.wrong.append(f"{answer.status_code} {answer.text[:200]}")
                            break
                        self.turned += 1
                        page = {"limit": 1, "cursor": answer.json()["page"]["next"]}


async def keys(site: Site, *arguments: str) -> str:
    ran = await asyncio.to_thread(site.run, "keys", *arguments)
    assert ran.code == Exit.OK, ran.err
    return ran.out


async def went_on(life: Life, turned: int) -> bool:
    return life.turned >= turned or bool(life.wrong)


async def test_J05_a_rotation_under_load_refuses_nobody() -> None:
    with open_folder() as folder:
        site = Site(folder)
        with site.serving(ZENA_WEB_PROCESSES=2, **MANY):
            life = Life(Visitor(site.url))
            await life.who.found_firm(site.said[1].split()[-1])
            project = await life.who.make_project("KEY")
            for number in range(6):
                await life.who.make_task(project, f"Beam {number}")
            await life.enrol()
            over = asyncio.Event()
            load = [asyncio.create_task(life.turn_pages(over)) for _ in range(2)]
            first = json.loads(await keys(site, "list", "--json"))[0]["key"]
            await keys(site, "rotate")
            assert await life.enters(life.code()) == httpx.codes.OK
            assert await life.enters(life.codes.pop()) == httpx.codes.OK
            await keys(site, "rotate", "--reencrypt")
            os.utime(folder / "secret.key", (0, 0))  # a minute later
            for old in [row["key"] for row in json.loads(await keys(site, "list", "--json")) if row["state"] == "old"]:
                await keys(site, "retire", old, "--yes")
                os.utime(folder / "secret.key", (0, 0))
            [left] = json.loads(await keys(site, "list", "--json"))
            assert left["key"] != first
            assert (left["state"], left["sealed"]) == ("current", "1 seeds, 9 recovery codes")
            turned = life.turned
            assert await life.enters(life.code()) == httpx.codes.OK
            assert await life.enters(life.codes.pop()) == httpx.codes.OK
            await until(lambda: went_on(life, turned + 100), 60)
            over.set()
            await asyncio.gather(*load)
            assert (life.wrong, life.turned > 200) == ([], True)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with installation() as made:
        yield made


def test_a_backup_of_before_brings_its_keys_back(house: House) -> None:
    ring = load_keys(house.settings)
    user: UUID = house.ask("SELECT id FROM user_account ORDER BY id LIMIT 1")
    sealed = Vault(ring).seal(user, SEED.encode()).hex()
    house.ask(f"UPDATE user_account SET totp_secret = '\\x{sealed}' WHERE id = '{user}'")  # noqa: S608 - our own bytes
    before = house.create().kept.path
    assert house.zena("keys", "rotate", "--reencrypt").code == Exit.OK
    os.utime(house.settings.keys_path, (0, 0))
    assert house.zena("keys", "retire", ring.current.id, "--yes").code == Exit.OK
    assert opened(house, user, load_keys(house.settings)) == SEED
    house.restore(before)
    assert opened(house, user, load_keys(house.settings)) == SEED
    assert list(load_keys(house.settings).keys)[1:] == [ring.current.id]
    assert house.zena("keys", "reencrypt").code == Exit.OK
    current = load_keys(house.settings).current
    assert opened(house, user, KeyRing(current, {current.id: current})) == SEED


def test_a_key_of_backups_goes_when_its_last_archive_has(house: House) -> None:
    [old] = load_backup_keys(house.settings, make=False).keys
    refused = house.zena("keys", "retire", old, "--ring", "backup", "--yes")
    assert (refused.code, "is the current key" in refused.err) == (Exit.DATA, True)
    assert house.zena("keys", "rotate", "--ring", "backup").code == Exit.OK
    after = house.create().kept.path
    refused = house.zena("keys", "retire", old, "--ring", "backup", "--yes")
    assert (refused.code, f"archives are sealed under {old}" in refused.err) == (Exit.DATA, True)
    for path in house.settings.backups_path.glob("*.zbk"):
        if path != after:
            house.verify(path)  # they open under the old key
            path.unlink()
    assert house.zena("keys", "retire", old, "--ring", "backup", "--yes").code == Exit.OK
    house.verify(after)
    listed = json.loads(house.zena("keys", "list", "--json").out)
    assert [(row["state"], row["sealed"]) for row in listed if row["ring"] == "backup"] == [("current", "1 archives")]


def opened(house: House, user: UUID, ring: KeyRing) -> str:
    stored: bytes = house.ask(f"SELECT totp_secret FROM user_account WHERE id = '{user}'")  # noqa: S608 - our own id
    return Vault(ring).open(user, stored).decode()
