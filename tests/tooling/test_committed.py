"""The check for addresses and paths finds what must not be shared, and leaves ordinary text alone."""

import pytest

from scripts import committed

REGISTRY = "registry.npm" + "js.org"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("docs/a.md", f"see https://{REGISTRY}/htmx.org"),
        ("docs/a.md", "files.python" + "hosted.org/packages/x.whl"),
        ("requirements/core.lock", "--index-url https://mirror.example/simple"),
        ("requirements/core.lock", "--find-links /opt/here"),
        ("requirements/core.lock", "zena @ https://mirror.example/zena.whl"),
        ("requirements/core.lock", "-e ."),
        ("package-lock.json", '"resolved": "https://mirror.example/htmx.tgz",'),
        ("Makefile", "cd /ro" + "ot/zena"),
        ("Makefile", "cd /ho" + "me/ann/zena"),
        ("src/zena/x.py", "URL = 'https://ann:" + "s3cretword@db.corp/zena'"),
    ],
)
def test_found(path: str, line: str) -> None:
    assert [number for number, _ in committed.look(path, f"# first\n{line}")][:1] == [2]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("docs/a.md", "see https://docs.pytest.org and the package on pypi.org"),
        ("requirements/core.lock", "    --hash=sha256:83490def \\"),
        ("requirements/core.lock", "# made by `make lock`"),
        ("package-lock.json", '"url": "https://opencollective.com/x"'),
        ("docs/a.md", "src/zena/work/actions.py and tests/home/test_x.py"),
        ("docs/a.md", "postgresql://zena:password@localhost/zena"),
    ],
)
def test_left_alone(path: str, line: str) -> None:
    assert list(committed.look(path, line)) == []


def test_this_repository() -> None:
    assert list(committed.findings()) == []
