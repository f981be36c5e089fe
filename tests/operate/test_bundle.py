"""The evidence of an outage: there without a database too, and without anything that opens something."""

import asyncio
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.run import Ran, zena
from tests.factories import Firm
from tests.work.making import made_project
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State

RING = '{"request_id": "r1", "route": "/dashboard", "kept_for": "slow", "facts": {"note": "Bearer planted-bearer-1"}}\n'
LOG = (
    '{"event": "x", "password": "planted-in-a-log"}\n'
    "GET /sign-in?token=planted-token-2 postgresql://a:planted-url-3@host/zena\n"
    "the key is UExBTlRFRC1LRVktYWJjZGVmZ2hpamtsbW5vcHFyc3Q= and the mail password planted-mail-4 was used\n"
)


def unpacked(content: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with secrets planted wherever some might lie."""
    home = tmp_path / "data"
    for name in ("telemetry", "logs", "secrets"):
        (home / name).mkdir(parents=True)
    (home / "secret.key").write_text("k1 UExBTlRFRC1LRVktYWJjZGVmZ2hpamtsbW5vcHFyc3Q=\n")
    (home / "secret.key").chmod(0o600)
    (home / "secrets" / "ops").write_text("planted-role-password")
    (home / "telemetry" / "web-1.jsonl").write_text(RING)
    (home / "logs" / "app.log").write_text(LOG)
    return home


async def packed(folder: Path, out: Path, app: str, reading: str) -> Ran:
    values = {
        "ZENA_DATA_DIR": folder, "ZENA_DATABASE_URL": app, "ZENA_DATABASE_OPS_READ_URL": reading, "ZENA_PORT": 1,
        "ZENA_SMTP_URL": "smtp://zena:planted-mail-4@mail.example:587", "ZENA_MAIL_FROM": "zena@mail.example",
    }  # fmt: skip
    return await asyncio.to_thread(lambda: zena("bundle", "--out", str(out), "--json", module="zena", **values))


async def test_it_holds_the_evidence_and_no_secret_and_no_contents(
    state: State, firm: Firm, urls: ClusterUrls, folder: Path, tmp_path: Path
) -> None:
    await made_project(state, firm, name="Planted project name")
    out = tmp_path / "a.tar.gz"
    ran = await packed(folder, out, urls.app, urls.ops_read)
    assert ran.code == Exit.OK, ran.err
    assert out.stat().st_mode & 0o777 == 0o600
    parts = unpacked(out.read_bytes())
    assert {"metrics.json", "activity.json", "locks.json", "changes.json", "settings.json", "versions.json"} <= set(
        parts
    )
    assert {"telemetry/web-1.jsonl", "logs/app.log"} <= set(parts)
    assert list(json.loads(parts["missing.json"])) == ["health"]
    assert "slo" in json.loads(parts["metrics.json"])
    everything = "\n".join(parts.values())
    assert [word for word in ("planted-", "UExBTlRFRC1LRVk") if word in everything] == []
    assert "Planted project name" not in everything
    assert firm.slug not in everything
    assert '"r1"' in parts["telemetry/web-1.jsonl"]


async def test_without_a_database_the_rest_is_packed(folder: Path, tmp_path: Path) -> None:
    nowhere = "postgresql://zena_app:planted-db-password@127.0.0.1:1/zena"
    out = tmp_path / "b.tar.gz"
    ran = await packed(folder, out, nowhere, nowhere)
    assert ran.code == Exit.OK, ran.err
    told = json.loads(ran.out)
    assert {"metrics", "activity", "health"} <= set(told["missing"])
    parts = unpacked(out.read_bytes())
    assert "telemetry/web-1.jsonl" in parts
    assert "planted" not in "\n".join(parts.values())
    before = out.read_bytes()
    assert (await packed(folder, out, nowhere, nowhere)).code == Exit.DATA
    assert out.read_bytes() == before
