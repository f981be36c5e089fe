"""The wheel in an empty environment: installed from the lock, without Node and without a checkout, it serves."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.tree import ROOT
from tests.kit.pg import open_folder

pytestmark = pytest.mark.proof
START_SECONDS = 90


def build(target: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"})
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder that the database's own account may pass through when the tests run as root."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def wheel(home: Path) -> Path:
    return build(home / "dist")


@pytest.fixture(scope="module")
def environment(home: Path, wheel: Path) -> Path:
    """The folder of commands of an environment that holds the lock and the wheel, and nothing else."""
    target = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/core.lock")], check=True)
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return target / "bin"


@pytest.fixture(scope="module")
def clean(home: Path, environment: Path) -> dict[str, str]:
    """Environment variables of somebody who has just logged in."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(home / "data")
    return {
        "PATH": str(environment),
        "HOME": str(home),
        "ZENA_DATA_DIR": data,
        "ZENA_PORT": str(port),
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="module")
def served(home: Path, environment: Path, clean: dict[str, str]) -> Iterator[str]:
    """The address of `zena serve` once it answers; it has to end on SIGTERM with 0."""
    address = f"http://localhost:{clean['ZENA_PORT']}"
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen([str(environment / "zena"), "serve"], env=clean, cwd=home, stdout=log, stderr=log)
        try:
            wait_for(f"{address}/api/v1/health", process, home / "serve.log")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)
    assert status == 0, (home / "serve.log").read_text()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"no answer from {url}:\n{log.read_text()}")


def test_two_builds_are_the_same_bytes(home: Path, wheel: Path) -> None:
    assert build(home / "again").read_bytes() == wheel.read_bytes()


def test_it_names_its_version(environment: Path, clean: dict[str, str], wheel: Path) -> None:
    said = subprocess.run(
        [str(environment / "zena"), "--version"], env=clean, check=True, capture_output=True, text=True
    )
    assert wheel.name.split("-")[1] in said.stdout


def test_it_answers(served: str) -> None:
    assert httpx.get(f"{served}/api/v1/health").status_code == 200


def test_it_draws_pages_with_their_scripts_and_styles(served: str) -> None:
    page = httpx.get(f"{served}/sign-in", follow_redirects=True)
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert any("/vendor/htmx." in asset for asset in assets)
    assert {httpx.get(served + asset.split("#")[0]).status_code for asset in assets} == {200}
