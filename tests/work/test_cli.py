"""`zena import` as an operator types it: files that are none, names that are not there, mistakes in the lines."""

import json
from pathlib import Path

import anyio
import pytest

from tests.cli.run import Ran, zena
from tests.factories import Firm
from tests.work.making import made_project
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State
from zena.settings import Settings


class Program:
    """`zena import` into one firm, over the database of this run."""

    def __init__(self, urls: ClusterUrls, settings: Settings, firm: Firm) -> None:
        self.firm = firm
        self.values = {"ZENA_ENV": "test", "ZENA_DATA_DIR": settings.data_dir, "ZENA_DATABASE_URL": urls.app}

    async def run(self, *arguments: str, tenant: str | None = None, **values: object) -> Ran:
        words = ("import", "--tenant", tenant or self.firm.slug, *arguments)
        return await anyio.to_thread.run_sync(lambda: zena(*words, module="zena", **self.values, **values))


@pytest.fixture
def program(urls: ClusterUrls, settings: Settings, firm: Firm, state: State) -> Program:
    return Program(urls, settings, firm)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.csv"
    path.write_text("name,due\nExcavate,2026-03-01\nPour,soon\nStrip,later\n")
    return path


async def test_a_file_that_cannot_be_read_is_74(program: Program, tmp_path: Path) -> None:
    for file in (tmp_path / "none.csv", tmp_path):
        ran = await program.run("--project", "HBR", str(file))
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (Exit.IO, "", 1)
        assert str(file) in ran.err


async def test_a_file_over_the_limit_is_refused_with_the_setting(program: Program, tmp_path: Path) -> None:
    (tmp_path / "large.csv").write_text("name\n" + "task\n" * 1000)
    ran = await program.run("--project", "HBR", str(tmp_path / "large.csv"), ZENA_IMPORT_MAX_BYTES=1024)
    assert (ran.code, "ZENA_IMPORT_MAX_BYTES" in ran.err) == (Exit.DATA, True)


async def test_what_is_not_there_is_named(program: Program, plan: Path) -> None:
    for said, words, tenant in (
        ("no project 'NONE'", ("--project", "NONE"), None),
        ("nobody here has the address 'no@one.test'", ("--project", "NONE", "--as", "no@one.test"), None),
        ("no firm 'no-such-firm'", ("--project", "NONE"), "no-such-firm"),
    ):
        ran = await program.run(*words, str(plan), tenant=tenant)
        assert (ran.code, said in ran.err, len(ran.err.splitlines())) == (Exit.DATA, True, 1), ran.err


async def test_mistakes_are_named_by_line_and_with_json_in_one_object(
    program: Program, firm: Firm, state: State, plan: Path
) -> None:
    await made_project(state, firm, key="CLI")
    ran = await program.run("--project", "CLI", str(plan))
    assert (ran.code, ran.out) == (Exit.DATA, "")
    assert [line.partition(",")[0] for line in ran.err.splitlines()] == [
        "line 3", "line 4", "zena: 2 mistakes; nothing was changed",
    ]  # fmt: skip
    ran = await program.run("--project", "CLI", str(plan), "--json")
    assert [entry["line"] for entry in json.loads(ran.err)["error"]["errors"]] == [3, 4]
