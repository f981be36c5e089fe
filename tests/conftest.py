"""What every test stands on: a real PostgreSQL of its own, the whole application, clients that speak as somebody."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories import Firm, make_firm
from tests.factories.firms import As
from tests.kit.pg import open_folder
from zena.kit.embedded import ClusterUrls, EmbeddedPostgres
from zena.kit.state import State
from zena.main import build_state, create_app
from zena.migrations.run import upgrade
from zena.settings import Settings

PUBLIC_URL = "https://zena.test"
#: What takes minutes begins first: a long file that begins last would keep one process busy and the others idle.
LONG = (
    "tests/runbook/", "tests/matrix/", "tests/cli/test_serve", "tests/journeys/", "tests/faults/",
    "tests/conformance/test_fuzz", "tests/operate/test_backup", "tests/kit/test_supervisor", "tests/operate/",
    "tests/cli/",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return next((place for place, head in enumerate(LONG) if item.nodeid.startswith(head)), len(LONG))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One event loop for the whole run, of the kind the server uses."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test process; durable writes are off because it does not outlive the run."""
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, options={"fsync": "off", "full_page_writes": "off", "max_connections": "120"})
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
async def urls(cluster: EmbeddedPostgres) -> ClusterUrls:
    """The migrated database, one URL per role."""
    found = cluster.urls()
    await upgrade(found.owner, found.ops)
    return found


@pytest.fixture(scope="session")
def settings(urls: ClusterUrls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        env="test",
        data_dir=tmp_path_factory.mktemp("data"),
        public_url=PUBLIC_URL,
        database_url=urls.app,
        database_owner_url=urls.owner,
        database_ops_url=urls.ops,
        database_ops_read_url=urls.ops_read,
        # Two test processes share two cores: what waits for its turn is not to be told that we are overloaded.
        pool_size=16,
        pool_timeout=20,
        lock_timeout=20,
        statement_timeout=30,
        rate_user=1_000_000,
        rate_tenant=1_000_000,
        rate_anonymous=1_000_000,
    )


@pytest.fixture(scope="session")
async def state(settings: Settings) -> AsyncIterator[State]:
    """The parts of a web process, connected."""
    made = build_state(settings)
    app = create_app(made)
    async with app.app.lifespan():
        yield made


@pytest.fixture(scope="session")
async def http(state: State) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind its guard, without a socket between."""
    transport = httpx.ASGITransport(app=create_app(state), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, timeout=30) as client:
        yield client


@pytest.fixture
async def firm(state: State) -> Firm:
    """A fresh tenant with one signed-in person per role."""
    return await make_firm(state.db)


@pytest.fixture
async def stranger(state: State) -> Firm:
    """Another tenant, for every list its other-tenant case."""
    return await make_firm(state.db)


@pytest.fixture
def anonymous(http: httpx.AsyncClient) -> As:
    return As(http, None)


@pytest.fixture(scope="session")
def screens() -> Path:
    """Where browser tests leave their screenshots; ignored by git."""
    folder = Path(os.environ.get("ZENA_SCREENS", "tests/screens"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
