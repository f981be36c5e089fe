"""The recorder between us and the driver, and logs as a server writes them, for all tests of this folder."""

from collections.abc import Iterator
from os import devnull
from pathlib import Path

import pytest

from tests.factories.recorder import tapped
from zena.kit.logs import setup_logging


@pytest.fixture(scope="package", autouse=True)
def tap() -> Iterator[None]:
    with tapped():
        yield


@pytest.fixture(scope="package", autouse=True)
def quiet() -> Iterator[None]:
    """Without it each refusal that is logged draws its stack in colours, with every local variable."""
    with Path(devnull).open("w", encoding="utf-8") as sink:
        stop = setup_logging(stream=sink)
        yield
        stop()
