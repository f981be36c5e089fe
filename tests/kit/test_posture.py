"""The posture check: which roles and servers may hold tenants apart, and which are refused (A03, A12)."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.kit.pg import FAST, ask, open_folder
from zena.kit.embedded import ClusterUrls, EmbeddedPostgres
from zena.kit.posture import DatabaseUnreachable, check_posture
from zena.kit.roles import why_too_old
from zena.settings import SettingsError


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with open_folder() as folder:
        made = EmbeddedPostgres(folder, options=FAST)
        made.start()
        yield made
        made.stop()


@pytest.fixture(scope="module")
def urls(server: EmbeddedPostgres) -> ClusterUrls:
    found = server.create_database("posture")
    ask(found.owner, "CREATE TABLE owned ()", "SELECT 1")
    return found


def findings(url: str, head: str | None = None) -> str:
    try:
        asyncio.run(check_posture(url, head=head))
    except SettingsError as error:
        return str(error)
    return ""


def test_the_app_role_is_fit(urls: ClusterUrls) -> None:
    assert findings(urls.app) == ""


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("superuser", "the role postgres, a superuser"),
        ("owner", "the role zena_owner, owner of owned"),
        ("ops", "the role zena_ops, with BYPASSRLS"),
        ("backup", "the role zena_backup, with BYPASSRLS"),
    ],
)
def test_A03_roles_that_escape_the_fence(urls: ClusterUrls, role: str, says: str) -> None:
    assert says in findings(getattr(urls, role))


@pytest.mark.parametrize(
    ("grant", "revoke", "says"),
    [
        ("GRANT zena_backup TO zena_app", "REVOKE zena_backup FROM zena_app", "member of zena_backup"),
        ("GRANT zena_owner TO zena_app", "REVOKE zena_owner FROM zena_app", "owner of owned"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "create in schema"),
        ("GRANT TEMP ON DATABASE posture TO zena_app", "REVOKE TEMP ON DATABASE posture FROM zena_app", "temporary"),
        ("ALTER ROLE zena_app CREATEROLE", "ALTER ROLE zena_app NOCREATEROLE", "CREATEROLE"),
    ],
)
def test_A12_what_loosens_the_app_role(urls: ClusterUrls, grant: str, revoke: str, says: str) -> None:
    ask(urls.superuser, grant, "SELECT 1")
    try:
        assert says in findings(urls.app)
    finally:
        ask(urls.superuser, revoke, "SELECT 1")
    assert findings(urls.app) == ""


def test_a_database_without_our_tables(urls: ClusterUrls) -> None:
    assert "run `zena migrate`" in findings(urls.app, head="0001")


def test_all_findings_come_at_once(urls: ClusterUrls) -> None:
    assert len(findings(urls.owner, head="0001").splitlines()) > 2


def test_no_server_is_another_matter() -> None:
    for url in ("postgresql://zena_app:hunter-2-canary@127.0.0.1:1/zena", "postgresql://zena_app@/zena?host=/nowhere"):
        with pytest.raises(DatabaseUnreachable) as caught:
            asyncio.run(check_posture(url))
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize("version", [90600, 150018, 160000, 160009, 170005])
def test_A12_old_servers_are_refused(version: int) -> None:
    assert why_too_old(version)


@pytest.mark.parametrize("version", [160010, 160014, 170006, 180000, 180004, 190000])
def test_new_servers_are_taken(version: int) -> None:
    assert why_too_old(version) is None
