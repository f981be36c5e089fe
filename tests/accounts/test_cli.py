"""`zena tenant`, `zena user`, `zena operator`: what an operator does at the keyboard."""

import json
import secrets

import anyio
import pytest

from tests.accounts.browser import Browser, as_ops
from tests.cli.run import Ran, zena
from tests.factories import Firm
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.settings import Settings


class Program:
    """The program, over the database of this run."""

    def __init__(self, urls: ClusterUrls, settings: Settings) -> None:
        self.values = {
            "ZENA_ENV": "test",
            "ZENA_DATA_DIR": settings.data_dir,
            "ZENA_PUBLIC_URL": settings.public_url,
            "ZENA_DATABASE_URL": urls.app,
            "ZENA_DATABASE_OWNER_URL": urls.owner,
            "ZENA_DATABASE_OPS_URL": urls.ops,
        }

    async def run(self, *arguments: str) -> Ran:
        return await anyio.to_thread.run_sync(lambda: zena(*arguments, module="zena", **self.values))


@pytest.fixture
def program(urls: ClusterUrls, settings: Settings, state: State) -> Program:
    return Program(urls, settings)


async def test_a_person_is_made_and_chooses_the_password_by_a_link(
    program: Program, firm: Firm, browser: Browser
) -> None:
    email = f"{secrets.token_hex(6)}@people.test"
    made = await program.run(
        "user", "create", email, "--name", "Lan Phạm", "--tenant", firm.slug, "--role", "pm", "--json"
    )
    assert made.code == 0, made.err
    link = json.loads(made.out)["link"]
    done = await browser.form(link, link, {"password": "gantry-mortar-17"})
    assert done.status_code == 303
    answer = await browser.api("POST", "auth/login", {"email": email, "password": "gantry-mortar-17"})
    assert (answer.json()["tenant"], answer.json()["role"]) == (str(firm.tenant), "pm")
    again = await program.run("user", "create", email, "--name", "Twin")
    assert (again.code, len(again.err.splitlines())) == (Exit.DATA, 1)


async def test_a_firm_is_founded_and_listed(program: Program, firm: Firm) -> None:
    owner = next(iter(firm.people.values())).email
    slug = f"firm-{secrets.token_hex(4)}"
    made = await program.run("tenant", "create", "Bê tông Việt", "--owner", owner, "--slug", slug, "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out)["slug"] == slug
    listed = json.loads((await program.run("tenant", "list", "--json")).out)
    assert {"slug": slug, "name": "Bê tông Việt", "status": "active", "members": 1}.items() <= next(
        entry for entry in listed if entry["slug"] == slug
    ).items()
    taken = await program.run("tenant", "create", "Other", "--owner", owner, "--slug", slug)
    assert taken.code == Exit.DATA


async def test_a_reset_link_is_printed_and_an_operator_named(program: Program, firm: Firm, state: State) -> None:
    caller = next(iter(firm.people.values()))
    link = await program.run("user", "reset-link", caller.email)
    assert link.out.startswith("https://zena.test/reset/")
    named = await program.run("operator", "create", caller.email)
    assert named.code == 0, named.err
    rows = await as_ops(state, "SELECT is_operator FROM user_account WHERE id = :u", u=caller.user)
    assert rows[0].is_operator


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("user", "reset-link", "nobody@people.test"), Exit.DATA),
        (("user", "reset-link", "no address"), Exit.DATA),
        (("operator", "create", "nobody@people.test"), Exit.DATA),
        (("user", "create", "a@b.test", "--name", "A", "--tenant", "no-such-firm"), Exit.DATA),
        (("user", "create", "a@b.test", "--name", "A", "--role", "pm"), Exit.USAGE),
    ],
)
async def test_a_refusal_is_one_line_and_a_code(program: Program, arguments: tuple[str, ...], code: int) -> None:
    ran = await program.run(*arguments)
    assert ran.code == code
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""
