"""A backup moves between servers: of a release of its own, over TCP, to a newer one; an older one refuses it."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.kit.pg import FAST, ask, open_folder
from tests.operate.backups import DATABASES, MIGRATIONS, TASKS, House, installation
from zena.cli.schema import upgraded
from zena.kit.clock import SystemClock
from zena.kit.embedded import EmbeddedPostgres
from zena.kit.embedded.attach import with_urls
from zena.kit.posture import head_on_disk
from zena.operate.backup.making import create
from zena.operate.backup.refusal import Refused
from zena.operate.backup.restoring import Restored, restore
from zena.operate.tenants.again import erase_again
from zena.settings import Settings

pytestmark = pytest.mark.proof

PORT = "25716"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with installation() as made:
        yield made


@pytest.fixture
def older() -> Iterator[EmbeddedPostgres]:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, major=16, options=FAST | {"listen_addresses": "127.0.0.1", "port": PORT})
        try:
            server.start()
            yield server
        finally:
            server.stop()


def put_back(settings: Settings, house: House) -> Restored:
    newest, head = max((house.folder / "backups").glob("zena-*.zbk")), head_on_disk(MIGRATIONS) or ""
    return asyncio.run(
        restore(
            settings,
            newest,
            SystemClock().now(),
            head=head,
            upgrade=lambda new: upgraded(new, MIGRATIONS),
            erase_again=erase_again,
        )
    )


def test_an_older_server_refuses_a_newer_dump_and_takes_its_own(house: House, older: EmbeddedPostgres) -> None:
    outside = with_urls(Settings(env="test", data_dir=house.folder), older.urls())
    before = ask(older.urls().superuser, DATABASES)
    with pytest.raises(Refused, match="unsupported version"):
        put_back(outside, house)
    assert ask(older.urls().superuser, DATABASES) == before
    asyncio.run(upgraded(outside, MIGRATIONS))
    assert house.zena("demo", **older.urls().environment()).code == 0
    made = asyncio.run(create(outside, SystemClock().now()))
    assert made.manifest.server.startswith("16.")
    assert put_back(outside, house).former is not None
    assert ask(older.urls().superuser, TASKS) == house.ask(TASKS)
    house.ask("DELETE FROM comment", "SELECT 1")
    assert put_back(house.settings, house).former is not None
    assert house.ask("SELECT count(*) FROM comment") > 0
    ran = house.zena("backup", "verify", **older.urls().environment())
    assert ran.code == 0, ran.err
