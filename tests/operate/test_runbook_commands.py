"""`zena runbook`, as somebody calls it at three in the morning."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.operate.commands import Terminal
from zena.kit.embedded import ClusterUrls
from zena.operate.symptoms.catalogue import BY_ID

_OPEN = """
INSERT INTO ops.incident (symptom, scope, severity, says, cause, began_at, opened_at)
VALUES ('T2', '', 'critical', 'a fence fell', 'open_policy', now(), now()) RETURNING id
"""


@pytest.fixture
def run(urls: ClusterUrls, tmp_path: Path) -> Terminal:
    return Terminal(urls, tmp_path)


@pytest.fixture
async def ops(urls: ClusterUrls) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(urls.ops)
    yield conn
    await conn.close()


@pytest.fixture
async def fallen(ops: Any) -> AsyncIterator[int]:
    """A policy that lets everybody through, and its incident."""
    await ops.execute("SET ROLE zena_owner; CREATE POLICY everybody ON label USING (true); RESET ROLE")
    number = await ops.fetchval(_OPEN)
    try:
        yield number
    finally:
        for policy in ("everybody", "ops_quarantine"):
            await ops.execute(f"SET ROLE zena_owner; DROP POLICY IF EXISTS {policy} ON label; RESET ROLE")
        await ops.execute("DELETE FROM ops.remedy_run WHERE incident_id = $1", number)
        await ops.execute("DELETE FROM ops.incident_event WHERE incident_id = $1", number)
        await ops.execute("DELETE FROM ops.incident WHERE id = $1", number)


async def test_the_runbook_is_listed_and_shown(run: Terminal) -> None:
    told = json.loads((await run("runbook", "list", "--json")).out)
    assert [one["id"] for one in told] == list(BY_ID)
    shown = await run("runbook", "show", "b1")
    assert "  cause missing_index: create_index" in shown.out
    assert "    zena runbook plan create_index" in shown.out
    assert "  not: restart the database: every request under way fails" in shown.out
    assert (await run("runbook", "diagnose", "B1", "--scope", "nobody")).code == 65


@pytest.mark.proof
async def test_from_the_incident_to_what_came_of_it(run: Terminal, fallen: int) -> None:
    number = str(fallen)
    shown = (await run("incident", "show", number)).out
    command = f"zena runbook plan quarantine --incident {number}"
    assert f"To mend it: {command}" in shown
    assert "open_policy (95%)" in (await run("runbook", "diagnose", "T2")).out
    planned = await run(*command.split()[1:])
    assert "  does: let the application see no row of label at all" in planned.out
    again = planned.out.strip().splitlines()[-1].split()
    assert again[:4] == ["zena", "runbook", "apply", "quarantine"]
    moved = await run("runbook", "apply", "quarantine", "--plan", "0" * 16, "--incident", number)
    assert (moved.code, moved.err.strip()) == (65, "zena: the state moved: plan again; nothing was done")
    applied = await run(*again[1:], "--json")
    told = json.loads(applied.out)
    assert (applied.code, told["verdict"]) == (0, "improved")
    kinds = [one["kind"] for one in json.loads((await run("incident", "show", number, "--json")).out)["timeline"]]
    assert kinds == ["remedy planned", "remedy applied", "remedy verdict"]
    careless = await run("runbook", "undo", str(told["run"]))
    assert (careless.code, "--confirm quarantine" in careless.err) == (64, True)
    assert (await run("runbook", "undo", str(told["run"]), "--confirm", "quarantine")).code == 0
    assert (await run("runbook", "undo", "999999")).code == 65


async def test_what_cannot_be_planned_says_why(run: Terminal, fallen: int) -> None:
    wrong = await run("runbook", "plan", "cancel_blocker", "--incident", str(fallen))
    assert (wrong.code, wrong.err.strip()) == (
        65, "zena: cancel_blocker does nothing against T2: `zena runbook show T2`",
    )  # fmt: skip
    calm = await run("runbook", "plan", "create_index")
    assert (calm.code, "no longer needed: nothing that create_index answers" in calm.out) == (0, True)
