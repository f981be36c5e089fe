"""Imports: what is read, what is refused with its line, and that a file comes in whole or not at all."""

import io
import time
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import text

from tests.conformance.crawl import form_headers
from tests.factories import Firm
from tests.work.making import made_project
from zena.kit.errors import Invalid
from zena.kit.state import State
from zena.kit.uow import tenant_work
from zena.work.imports.actions import Intake, apply_file, apply_import, start_import
from zena.work.imports.columns import check_mapping, guess
from zena.work.imports.plan import Plan, plan
from zena.work.imports.table import read_table

HEADER = "Ref,Name,Status,Priority,Start,Due,Estimate,Progress,Assignees,Labels,Parent,Predecessors\n"

#: Twenty lines, each with one mistake, and the code it is told with.
PLANTED = (
    ("1,,backlog,,,,,,,,,", "blank"),
    ("2,Dig,someday,,,,,,,,,", "choice"),
    ("3,Dig,,extreme,,,,,,,,", "choice"),
    ("4,Dig,,,2026-02-30,,,,,,,", "date"),
    ("5,Dig,,,,31/11/2026,,,,,,", "date"),
    ("6,Dig,,,,10000-01-01,,,,,,", "date"),
    ("7,Dig,,,,1900-01-01,,,,,,", "range"),
    ("8,Dig,,,2026-12-02,2026-12-01,,,,,,", "order"),
    ("9,Dig,,,,,soon,,,,,", "number"),
    ("10,Dig,,,,,,101,,,,", "number"),
    ("11,Dig,,,,,,-1,,,,", "number"),
    ("12,Dig,,,,,,,nobody,,,", "email"),
    ("13,Dig,,,,,,,ghost@nowhere.example,,,", "unknown"),
    ("14,Dig,,,,,,,,,99,", "unknown"),
    ("15,Dig,,,,,,,,,,98", "unknown"),
    ("16,Dig,,,,,,,,,,16", "self"),
    ("17,Dig,,,,,,,,,,?!+x", "link"),
    ("18,Dig,,,,,,,,,18,", "cycle"),
    ("1,Twice,,,,,,,,,,", "duplicate"),
    (f"20,{'x' * 256},,,,,,,,,,", "too_long"),
)


def planned(content: str, **mapping: str) -> Plan:
    table = read_table(content.encode(), max_rows=10_000)
    return plan(table, check_mapping(table.header, {**guess(table.header), **mapping}))


async def imported(state: State, firm: Firm, project: UUID, content: str) -> Plan:
    scope = firm.scope("pm")
    table = read_table(content.encode(), max_rows=10_000)
    places = check_mapping(table.header, guess(table.header))
    async with tenant_work(state.db, scope) as session:
        return await apply_file(session, scope, project_id=project, table=table, places=places)


async def counted(state: State, firm: Firm, table: str) -> int:
    async with tenant_work(state.db, firm.scope()) as session:
        query = text(f"SELECT count(*) FROM {table} WHERE tenant_id = :tenant")  # noqa: S608 - a name of this file
        return int(await session.scalar(query, {"tenant": firm.tenant}) or 0)


async def test_twenty_planted_mistakes_are_twenty_lines_and_change_nothing(state: State, firm: Firm) -> None:
    project = await made_project(state, firm)
    found = await imported(state, firm, project, HEADER + "\n".join(line for line, _ in PLANTED))
    assert [(error.line, error.code) for error in found.errors] == [
        (number, code) for number, (_, code) in enumerate(PLANTED, start=2)
    ]
    assert found.mistakes == len(PLANTED)
    assert await counted(state, firm, "task") == 0
    assert await counted(state, firm, "label") == 0


@pytest.mark.proof  # a time means little while other tests share the machine
async def test_a_plan_of_ten_thousand_rows_comes_in_within_ten_seconds(state: State, firm: Firm) -> None:
    project = await made_project(state, firm)
    rows = [
        f"{n},Task {n},backlog,,,,4,,,,{(n - 1) // 10 * 10 + 1 if (n - 1) % 10 else ''},{n - 1 if n % 3 == 0 else ''}"
        for n in range(1, 10_001)
    ]
    began = time.monotonic()
    found = await imported(state, firm, project, HEADER + "\n".join(rows))
    assert time.monotonic() - began < 10
    assert found.errors == []
    assert await counted(state, firm, "task") == 10_000
    assert await counted(state, firm, "task_dependency") == 3_333


async def test_parents_below_their_children_are_found(state: State, firm: Firm) -> None:
    project = await made_project(state, firm)
    found = await imported(state, firm, project, "Ref,Name,Parent\n1,Child,2\n2,Parent,\n")
    assert found.errors == []
    async with tenant_work(state.db, firm.scope()) as session:
        query = text(
            "SELECT c.name, p.name FROM task c JOIN task p ON p.tenant_id = c.tenant_id AND p.id = c.parent_id"
            " WHERE c.tenant_id = :tenant"
        )
        assert list(await session.execute(query, {"tenant": firm.tenant})) == [("Child", "Parent")]


async def test_B13_a_file_is_applied_once(state: State, firm: Firm) -> None:
    project = await made_project(state, firm)
    scope = firm.scope("pm")
    intake = Intake(state.storage, 100, 10_000)

    async def content() -> AsyncIterator[bytes]:
        yield b"Name\nDig\n"

    async with tenant_work(state.db, scope) as session:
        run, _ = await start_import(
            session, scope, project_id=project, intake=intake, content=content(), file_name="../x.csv"
        )
    async with tenant_work(state.db, scope) as session:
        await apply_import(session, scope, import_id=run.id, intake=intake)
    with pytest.raises(Exception, match="imported already"):
        async with tenant_work(state.db, scope) as session:
            await apply_import(session, scope, import_id=run.id, intake=intake)
    assert await counted(state, firm, "task") == 1


@pytest.mark.parametrize(
    "content",
    [
        "Name;Due\nDig;2026-12-01\n",
        "Name\tDue\nDig\t2026-12-01\n",
        "\ufeffName,Due\r\nDig,01/12/2026\r\n",
        "Tên công việc,Hạn\nDig,1.12.2026\n",
        '"Name","Due"\n"Dig","2026-12-01"\n\n\n',
    ],
)
def test_the_usual_dialects_are_read_alike(content: str) -> None:
    task = planned(content).tasks[0]
    assert (task.name, task.due.isoformat() if task.due else None) == ("Dig", "2026-12-01")


def test_utf_16_and_workbooks_are_read() -> None:
    assert planned_bytes("Name,Due\nĐào móng,2026-12-01\n".encode("utf-16")).tasks[0].name == "Đào móng"
    book, stream = Workbook(), io.BytesIO()
    sheet = book.create_sheet("Plan", 0)
    sheet.append(["Name", "Due"])
    sheet.append(["Đào móng", "2026-12-01"])
    book.save(stream)
    assert planned_bytes(stream.getvalue()).tasks[0].name == "Đào móng"


def test_O07_formulas_stay_text() -> None:
    assert planned('Name\n"=HYPERLINK(""http://x"")"\n').tasks[0].name == '=HYPERLINK("http://x")'


def planned_bytes(content: bytes) -> Plan:
    table = read_table(content, max_rows=100)
    return plan(table, check_mapping(table.header, guess(table.header)))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"Name,Due\n", "no_rows"),
        (b"Name,name\nDig,Dig\n", "duplicate"),
        (b'Name\n"Dig\n', "csv"),
        (b"Name\nD\x00ig\n", "nul"),
        (b"Name\nD\xfcg\n", "encoding"),
        (b"Name\n" + b"x" * 200_000 + b"\n", "csv"),
        (b"Name\n" + b"x" * 30_000 + b"\n", "too_long"),
        (b"Name\nDig,Pour\n", "columns"),
        (b"Name\n" + b"Dig\n" * 11, "too_many"),
        (b"PK\x03\x04not a zip", "xlsx"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_table(content, max_rows=10)
    assert [(field.path, field.code) for field in refused.value.fields] == [("file", code)]


def test_a_circle_of_any_length_is_named_without_recursion() -> None:
    rows = "".join(f"{n},Task {n},{n % 5_000 + 1}\n" for n in range(1, 5_001))
    found = planned("Ref,Name,Predecessors\n" + rows)
    assert [error.code for error in found.errors] == ["cycle"]


def test_columns_that_are_not_there_are_named() -> None:
    table = read_table(b"Name\nDig\n", max_rows=10)
    with pytest.raises(Invalid) as refused:
        check_mapping(table.header, {"Nmae": "name", "Name": "colour"})
    assert [field.path for field in refused.value.fields] == ["mapping.Nmae", "mapping.Name"]


async def test_columns_that_cannot_be_are_refused_with_what_was_chosen(
    state: State, firm: Firm, http: httpx.AsyncClient
) -> None:
    project, pm = await made_project(state, firm), firm.client(http, "pm")
    files = {"file": ("plan.csv", b"Ref,Name\n1,Dig\n", "text/csv")}
    made = await pm.post(f"/api/v1/app/projects/{project}/imports", files=files, headers=form_headers(pm))
    page = f"/imports/{made.json()['id']}"
    twice = {"column-0": "due", "column-1": "due"}
    refused = await pm.post(f"{page}/check", data=twice, headers=form_headers(pm))
    assert (refused.status_code, refused.text.count('<option value="due" selected>')) == (422, 2)
    assert "Two columns are mapped to due." in refused.text
    assert '<option value="name" selected>' in (await pm.get(page)).text, "nothing of it was kept"
