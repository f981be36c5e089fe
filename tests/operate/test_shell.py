"""Python with the parts of a process: held as the application is, read only, recorded."""

import asyncpg
import pytest

from tests.factories import Firm
from tests.operate.commands import Terminal
from tests.work.making import made_project, made_task
from zena.kit.embedded import ClusterUrls
from zena.kit.exits import Exit
from zena.kit.state import State

PROGRAM = """
import asyncpg
count = 'SELECT count(*) FROM task'
print('without a firm', (await sql(count))[0]['count'])
print('acting', (await scope('{slug}')).role, (await sql(count))[0]['count'])
for attempt in ("DELETE FROM throttle", "SELECT set_config('app.tenant', '{other}', false)"):
    try:
        await sql(attempt)
    except asyncpg.ReadOnlySQLTransactionError:
        print('read only')
print('again', (await sql(count))[0]['count'])
token = 'password=planted-in-code'
"""


async def test_it_reads_as_the_application_does_and_is_recorded(
    state: State, urls: ClusterUrls, firm: Firm, stranger: Firm
) -> None:
    await made_task(state, firm, await made_project(state, firm))
    program = PROGRAM.format(slug=firm.slug, other=stranger.tenant)
    ran = await Terminal(urls, state.settings.data_dir)("shell", "-c", program)
    assert (ran.code, ran.err) == (Exit.OK, "")
    assert ran.out.splitlines() == ["without a firm 0", "acting owner 1", "read only", "again 1"]
    conn = await asyncpg.connect(urls.ops)
    try:
        told = await conn.fetchrow("SELECT what, after::text AS after FROM ops.change ORDER BY id DESC LIMIT 1")
    finally:
        await conn.close()
    assert told["what"] == "shell, read only"
    assert "count(*)" in told["after"]
    assert "planted" not in told["after"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("-c", "x = ("), Exit.FINDING, "SyntaxError"),
        (("-c", "1 / 0"), Exit.FINDING, "ZeroDivisionError"),
        (("--write", "-c", "await sql('DELETE FROM throttle WHERE false')"), Exit.OK, ""),
    ],
)
async def test_code_that_fails_ends_with_one(
    words: tuple[str, ...], code: Exit, says: str, state: State, urls: ClusterUrls
) -> None:
    ran = await Terminal(urls, state.settings.data_dir)("shell", *words)
    assert ran.code == code, ran.err
    assert says in ran.err
