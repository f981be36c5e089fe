"""The proxies' example files, as they stand, before a real installation: pages, uploads, live updates, addresses."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts.tree import ROOT
from tests.faults.installation import Installation, free_port, installed, wait
from tests.kit.pg import open_folder
from tests.kit.tools import program
from tests.operate.visitor import APP, Visitor, heard, trusting_context

pytestmark = pytest.mark.proof

PROXY = ROOT / "packaging/proxy"
#: Another address of this machine: what a proxy sees, and must not be mistaken for its own.
FAR, FORGED = "127.0.0.7", "203.0.113.9"
_LINK = re.compile(r"https://localhost:\d+/set-up/\S+")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(port: int) -> Iterator[Installation]:
    """An installation whose public address is that of the proxy."""
    with installed(ZENA_PUBLIC_URL=f"https://localhost:{port}", ZENA_TRUSTED_PROXIES="127.0.0.1") as made:
        made.start()
        made.wait_until_up()
        yield made


@pytest.fixture(scope="module")
def owner(site: Installation, port: int) -> Visitor:
    """Whoever opens the link of the first start, through the first of the proxies."""
    visitor = Visitor(f"https://localhost:{port}", address=FAR)
    link = wait(lambda: _LINK.search(site.said), lambda: f"no link: {site.said[-3000:]}")[0]
    with nginx(port, site.port):
        asyncio.run(visitor.found_firm(link))
    return visitor


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "said").open("ab") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, cwd=folder, env={"HOME": str(folder)})

        def answers() -> bool:
            assert process.poll() is None, (folder / "said").read_text()
            with suppress(httpx.TransportError):
                url = f"https://localhost:{port}/api/v1/health/live"
                return httpx.get(url, verify=trusting_context()).is_success
            return False

        try:
            wait(answers, (folder / "said").read_text)
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def nginx(port: int, upstream: int) -> Iterator[None]:
    with open_folder("zn-") as folder:
        certify(folder)
        text = (PROXY / "nginx.conf").read_text(encoding="utf-8")
        for found, ours in (
            ("127.0.0.1:8000", f"127.0.0.1:{upstream}"), ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
            ("listen 443", f"listen 127.0.0.1:{port}"), ("/etc/ssl/zena", str(folder)),
            ("zena.example.com", "localhost"),
        ):  # fmt: skip
            assert found in text
            text = text.replace(found, ours)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
        head = f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
        (folder / "nginx.conf").write_text(f"{head}{temporary}{text}\n}}\n", encoding="utf-8")
        with running([program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, port):
            yield


@contextmanager
def caddy(port: int, upstream: int) -> Iterator[None]:
    """Its own authority signs for localhost; nothing else differs from the file."""
    with open_folder("zc-") as folder:
        text = (PROXY / "Caddyfile").read_text(encoding="utf-8")
        text = text.replace("{$SITE:zena.example.com}", f"localhost:{port}")
        text = text.replace("{$UPSTREAM:127.0.0.1:8000}", f"127.0.0.1:{upstream}")
        ours = "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n"
        (folder / "Caddyfile").write_text(ours + text, encoding="utf-8")
        command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
        with running(command, folder, port):
            yield


@pytest.mark.parametrize("proxy", [nginx, caddy])
def test_behind_a_proxy_everything_works_and_nobody_forges_an_address(
    proxy: Callable[[int, int], AbstractContextManager[None]], site: Installation, owner: Visitor, port: int
) -> None:
    with proxy(port, site.port):
        asyncio.run(everything(site, owner, "NGX" if proxy is nginx else "CAD"))


async def everything(site: Installation, owner: Visitor, key: str) -> None:
    forged = {"x-forwarded-for": FORGED, "x-real-ip": FORGED}
    visitor = Visitor(owner.url, address=FAR, email=owner.email, headers=forged)
    await visitor.sign_in()
    assert "Secure" in visitor.cookie
    assert visitor.cookie.startswith("__Host-")
    assert await address_of_last_session(site) == FAR
    project = await visitor.make_project(key)
    async with visitor.listening() as socket:
        await visitor.make_task(project, f"{key} 0")
        assert "task" in json.dumps(await heard(socket, op="event"))
    await uploads(visitor, project)
    async with visitor.client() as anybody:
        del anybody.headers["authorization"]
        page = await anybody.get("/sign-in", headers={"accept": "text/html"})
        assert (page.status_code, "strict-transport-security" in page.headers) == (200, True)
        # Coming through a proxy is not being here, whatever is claimed.
        for claimed in ("127.0.0.1", FORGED, ""):
            answer = await anybody.get("/api/v1/metrics", headers={"x-forwarded-for": claimed})
            assert answer.status_code == 401, answer.text
            health = await anybody.get("/api/v1/health", headers={"x-forwarded-for": claimed})
            assert "dependencies" not in health.json()


async def uploads(visitor: Visitor, project: str) -> None:
    """A file of some megabytes passes; one that is never taken is refused by the proxy already."""
    rows = "Name,Description\n" + "".join(f"Row {number},{'x' * 900}\n" for number in range(5_000))
    file = {"file": ("plan.csv", rows.encode(), "text/csv")}
    made = await visitor.send("POST", f"{APP}/projects/{project}/imports", 201, files=file)
    assert made["rows"] == 5_000
    async with visitor.client() as sender:
        with suppress(httpx.WriteError, httpx.ReadError):  # refused before all was sent
            answer = await sender.post(f"{APP}/projects/{project}/imports", content=b"x" * 12_000_000)
            assert answer.status_code == 413


async def address_of_last_session(site: Installation) -> str:
    conn = await asyncpg.connect(site.urls().ops, timeout=20)
    try:
        found = await conn.fetchval("SELECT ip FROM session ORDER BY created_at DESC LIMIT 1")
    finally:
        await conn.close()
    return str(found)


def certify(folder: Path) -> None:
    """Write a certificate for localhost that lasts a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "privkey.pem").write_bytes(pem)
