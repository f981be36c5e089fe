"""E04 and section 4 of the bad inputs: files as people and attackers send them, and what is said about each."""

import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from openpyxl import Workbook

from tests.conformance.crawl import form_headers
from tests.conformance.rows import fingerprint
from tests.factories import Firm
from tests.factories.firms import As
from tests.work.making import made_project
from zena.kit.embedded import ClusterUrls
from zena.kit.errors import Invalid
from zena.kit.state import State
from zena.kit.storage import LocalStorage
from zena.work.imports.columns import check_mapping, guess
from zena.work.imports.plan import LineError, Plan, plan
from zena.work.imports.table import MAX_LINES, Table, read_table

SHEET = "xl/worksheets/sheet1.xml"
_BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (one, b"&%c;" % (one - 1) * 10) for one in range(ord("b"), ord("k"))
)


def workbook(*rows: Sequence[object]) -> bytes:
    book, stream = Workbook(), io.BytesIO()
    sheet = book.create_sheet("Plan", 0)
    for row in rows or (["Name", "Due"], ["Dig", "2026-12-01"]):
        sheet.append(row)
    book.save(stream)
    return stream.getvalue()


def altered(*changes: tuple[str, bytes | None], content: bytes | None = None) -> bytes:
    """A workbook with some parts replaced, added, or (None) left out."""
    stream, given = io.BytesIO(), dict(changes)
    with zipfile.ZipFile(io.BytesIO(content or workbook())) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for name in [*old.namelist(), *(name for name in given if name not in old.namelist())]:
            part = given.get(name, old.read(name) if name in old.namelist() else b"")
            if part is not None:
                new.writestr(name, part)
    return stream.getvalue()


def sheet(data: str, dimension: str = "A1:B2") -> bytes:
    return (
        '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<dimension ref="{dimension}"/><sheetData>{data}</sheetData></worksheet>'
    ).encode()


def cell(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


HEAD = f'<row r="1">{cell("A1", "Name")}{cell("B1", "Due")}</row>'


def with_flags(content: bytes, flags: int) -> bytes:
    """Set the general purpose flags of every entry of a ZIP, in both places where they stand."""
    raw = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(mark)
        while at >= 0:
            raw[at + place] |= flags
            at = raw.find(mark, at + 4)
    return bytes(raw)


def planned(content: bytes | str, max_rows: int = 10_000) -> Plan:
    table = read_table(content.encode() if isinstance(content, str) else content, max_rows=max_rows)
    return plan(table, check_mapping(table.header, guess(table.header)))


def told(errors: list[LineError]) -> list[tuple[int, str, str]]:
    return [(error.line, error.column, error.code) for error in errors]


PARTS = zipfile.ZipFile(io.BytesIO(workbook())).namelist()
BROKEN: dict[str, tuple[bytes, str]] = {
    "truncated": (workbook()[:-200], "xlsx"),
    "cut in the middle": (workbook()[:600], "xlsx"),
    "a ZIP of something else": (altered(*((name, None) for name in PARTS), ("a.txt", b"a")), "xlsx"),
    "no sheet": (altered((SHEET, None), ("xl/worksheets/sheet2.xml", None)), "xlsx"),
    "broken XML": (altered((SHEET, b"<worksheet><sheetData><row>")), "xlsx"),
    "no XML": (altered((SHEET, b"\x00\xff")), "xlsx"),
    "entities that multiply": (altered((SHEET, _BOMB + b"]><worksheet>&j;</worksheet>")), "xlsx"),
    "a cell without a place": (altered((SHEET, sheet('<row r="1"><c r="!!" t="s"><v>0</v></c></row>'))), "xlsx"),
    "a text that is not there": (altered((SHEET, sheet('<row r="1"><c r="A1" t="s"><v>99999</v></c></row>'))), "xlsx"),
    "a date out of time": (altered((SHEET, sheet(f'{HEAD}<row r="2"><c r="A2" t="d"><v>never</v></c></row>'))), "xlsx"),
    "a row that is no number": (altered((SHEET, sheet('<row r="x"/>'))), "xlsx"),
    "a password on the ZIP": (with_flags(workbook(), 1), "xlsx"),
    "a password on the workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "xlsx"),
    "200 MB of nothing": (altered(("xl/media/a.bin", b"\x00" * 60_000_000)), "too_large"),
    "a thousand parts": (altered(*((f"x/{n}", b"") for n in range(1001))), "too_large"),
    "a PDF": (b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n", "type"),
    "a page": (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Name</body></html>", "type"),
    "a drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'>\n<script>alert(1)</script>\n</svg>", "type"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "encoding"),
    "a header and nothing": (workbook(["Name", "Due"]), "no_rows"),
    "201 columns": (workbook([f"c{n}" for n in range(201)], ["x"]), "columns"),
    "a row far below": (altered((SHEET, sheet(f'{HEAD}<row r="2000000000">{cell("A2", "Dig")}</row>'))), "too_many"),
    "more cells than the header": (workbook(["Name"], ["Dig", "Pour"]), "columns"),
    "too many rows": (workbook(["Name"], *([f"Task {n}"] for n in range(12))), "too_many"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_E04_a_workbook_that_cannot_be_taken_says_why(name: str) -> None:
    content, code = BROKEN[name]
    began = time.process_time()
    with pytest.raises(Invalid) as refused:
        read_table(content, max_rows=10)
    assert [(field.path, field.code) for field in refused.value.fields] == [("file", code)]
    assert time.process_time() - began < 5


def test_a_sheet_is_read_to_its_end_whatever_size_it_claims() -> None:
    rows = "".join(f'<row r="{n}">{cell(f"A{n}", f"Task {n}")}</row>' for n in range(2, 40))
    for claimed in ("A1", "A1:B2", "A1:XFD1048576", "B7:C9"):
        assert len(planned(altered((SHEET, sheet(HEAD + rows, claimed)))).tasks) == 38, claimed


def test_H05_a_sheet_of_gaps_is_read_quickly() -> None:
    began = time.process_time()
    last = f'<row r="{MAX_LINES}">{cell(f"A{MAX_LINES}", "Dig")}</row>'
    content = altered((SHEET, sheet(HEAD + last, "A1:XFD1048576")))
    assert [task.line for task in planned(content).tasks] == [MAX_LINES]
    assert time.process_time() - began < 5


def test_macros_of_a_workbook_are_left_where_they_are() -> None:
    content = altered(("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0macro"))
    assert [task.name for task in planned(content).tasks] == ["Dig"]


@pytest.mark.parametrize("formula", ["=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3"])
def test_O07_formulas_of_a_csv_stay_what_was_typed(formula: str) -> None:
    quoted = formula.replace('"', '""')
    assert planned(f'Name\n"{quoted}"\n').tasks[0].name == formula


def test_mixed_line_ends_and_lines_within_a_cell() -> None:
    found = planned(b'Name,Notes\nDig,a\r\nPour,"b\nc"\rSurvey,d\n')
    assert [(task.name, task.description) for task in found.tasks] == [("Dig", "a"), ("Pour", "b\nc"), ("Survey", "d")]
    assert [task.line for task in found.tasks] == [2, 3, 5]


def test_utf_16_either_way_and_a_half_character() -> None:
    text = "Name;Due\nĐào móng;2026-12-01\n"
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        assert planned(mark + text.encode(encoding)).tasks[0].name == "Đào móng"
    for broken in (b"\xff\xfeN", b"\xff\xfe" + "Name\n".encode("utf-16-le") + b"\x00\xd8"):
        with pytest.raises(Invalid) as refused:
            read_table(broken, max_rows=10)
        assert refused.value.fields[0].code == "encoding"


def test_unknown_columns_are_left_out_and_a_missing_name_is_named() -> None:
    assert [task.name for task in planned("Colour,Name,Mood\nred,Dig,good\n").tasks] == ["Dig"]
    with pytest.raises(Invalid) as refused:
        planned("Colour,Mood\nred,good\n")
    assert [(field.path, field.code) for field in refused.value.fields] == [("mapping", "required")]


def test_a_header_may_not_be_a_novel() -> None:
    with pytest.raises(Invalid) as refused:
        read_table(f"Name,{'x' * 256}\nDig,\n".encode(), max_rows=10)
    assert refused.value.fields[0].code == "too_long"


ROWS = [
    ("Parent", "2", [(3, "Parent", "cycle")], "1,Dig,2\n2,Pour,1\n"),
    ("Parent", "itself", [(2, "Parent", "cycle")], "1,Dig,1\n"),
    ("Predecessors", "twice", [(3, "Predecessors", "duplicate")], "1,Dig,\n2,Pour,1;1SS\n"),
    ("Predecessors", "a lag of decades", [(3, "Predecessors", "range")], "1,Dig,\n2,Pour,1FS+9999d\n"),
    ("Estimate", "centuries", [(2, "Estimate", "range")], "1,Dig,999999 d\n"),
    ("Progress", "a number of 5,000 digits", [(2, "Progress", "number")], f"1,Dig,{'9' * 5000}\n"),
    ("Labels", "51 labels", [(2, "Labels", "too_many")], f"1,Dig,{';'.join(f'l{n}' for n in range(51))}\n"),
    ("Labels", "invisible", [(2, "Labels", "blank")], "1,Dig,\u200b\n"),
    ("Assignees", "51 people", [(2, "Assignees", "too_many")], f"1,Dig,{';'.join(f'a{n}@b.co' for n in range(51))}\n"),
    ("Assignees", "a line of mail", [(2, "Assignees", "email")], '1,Dig,"a@b.co\r\nBcc: x@y.co"\n'),
    ("Due", "infinity", [(2, "Due", "date")], "1,Dig,infinity\n"),
    ("Due", "24:00", [(2, "Due", "date")], "1,Dig,2026-01-01T24:00\n"),
    ("Due", "year zero", [(2, "Due", "date")], "1,Dig,0000-00-00\n"),
    ("Ref", "the same twice", [(3, "Ref", "duplicate")], "1,Dig,\n1,Pour,\n"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "what", "expected", "rows"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_each_bad_cell_is_named(column: str, what: str, expected: list[tuple[int, str, str]], rows: str) -> None:
    third = column if column != "Ref" else "Notes"
    found = planned(f"Ref,Name,{third}\n{rows}")
    assert told(found.errors) == expected
    assert all(len(error.value) <= 40 for error in found.errors)


def test_a_hundred_dependencies_on_either_side_and_no_more() -> None:
    refs = [str(n) for n in range(1, 103)]
    many = "".join(f"{ref},Task {ref},\n" for ref in refs)
    assert told(planned(f"Ref,Name,Predecessors\n{many}x,Last,{';'.join(refs[:100])}\n").errors) == []
    before = planned(f"Ref,Name,Predecessors\n{many}x,Last,{';'.join(refs[:101])}\n")
    assert told(before.errors) == [(104, "Predecessors", "too_many")]
    after = "x,First,\n" + "".join(f"{ref},Task {ref},x\n" for ref in refs[:101])
    assert told(planned(f"Ref,Name,Predecessors\n{after}").errors) == [(103, "Predecessors", "too_many")]


UPLOADS: dict[str, tuple[dict[str, object], str, str]] = {
    "nothing": ({"other": ("a.csv", b"Name\nDig\n")}, "other", "unknown"),
    "text in its place": ({"file": (None, b"Name\nDig\n")}, "file", "required"),
    "no file name": ({"file": ("", b"Name\nDig\n")}, "file", "required"),
    "empty": ({"file": ("a.csv", b"")}, "file", "empty"),
    "a name of controls": ({"file": ("a\x1bb.csv", b"Name\nDig\n")}, "file", "characters"),
    "a long name": ({"file": ("a" * 300, b"Name\nDig\n")}, "file", "too_long"),
    "a field beside it": ({"file": ("a.csv", b"Name\nDig\n"), "project_id": (None, b"x")}, "project_id", "unknown"),
}


@pytest.fixture
async def uploads(state: State, firm: Firm) -> str:
    return f"/api/v1/app/projects/{await made_project(state, firm)}/imports"


@pytest.mark.parametrize("name", UPLOADS)
async def test_an_upload_that_is_none_names_the_field(name: str, uploads: str, pm: As) -> None:
    files, path, code = UPLOADS[name]
    answer = await pm.post(uploads, files=files, headers=form_headers(pm))
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED"), answer.text
    assert [(field["path"], field["code"]) for field in answer.json()["details"]["fields"]] == [(path, code)]


async def test_one_file_at_a_time_and_not_more_than_the_limit(uploads: str, pm: As, state: State) -> None:
    one = ("file", ("a.csv", b"Name\nDig\n", "text/csv"))
    answer = await pm.post(uploads, files=[one, one], headers=form_headers(pm))
    assert [(field["path"], field["code"]) for field in answer.json()["details"]["fields"]] == [("file", "repeated")]
    big = b"x" * (state.settings.import_max_bytes + 1)
    answer = await pm.post(uploads, files={"file": ("a.csv", big)}, headers=form_headers(pm))
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_E01_a_name_is_kept_for_people_and_never_a_path(uploads: str, pm: As, http: httpx.AsyncClient) -> None:
    for name in ("../../etc/passwd", "CON", "a\u202ecsv.exe", '"><script>alert(1)</script>.csv'):
        answer = await pm.post(uploads, files={"file": (name, b"Name\nDig\n")}, headers=form_headers(pm))
        assert answer.status_code == 201, answer.text
        page = await pm.get(f"/imports/{UUID(answer.json()['id'])}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def test_a_table_has_as_many_cells_as_its_header() -> None:
    assert read_table(b"Name,Due,,\nDig\n", max_rows=10) == Table(["Name", "Due"], [(2, ["Dig", ""])])


async def left(state: State, firm: Firm, urls: ClusterUrls) -> tuple[dict[str, str], list[Path]]:
    """Everything that lies about of a firm: a hash of the rows of each table, and its files."""
    assert isinstance(state.storage, LocalStorage)
    files = [path for path in state.storage.root.rglob("*") if path.is_file() and firm.tenant.hex in str(path)]
    return await fingerprint(urls, firm), [*files, *(state.storage.root / "incoming").iterdir()]


@pytest.mark.parametrize("door", ["/api/v1/app/projects/{id}/imports", "/projects/{key}/imports"])
async def test_E08_a_refused_upload_leaves_neither_row_nor_file(
    door: str, pm: As, state: State, firm: Firm, urls: ClusterUrls
) -> None:
    await made_project(state, firm)
    known = (await pm.get("/api/v1/app/projects")).json()["data"][0]
    url = door.format(id=known["id"], key=known["key"])
    before = await left(state, firm, urls)
    good = b"Name\nDig\n"
    sent = [(f"{name}.xlsx", content) for name, (content, code) in BROKEN.items() if code != "too_many"]
    sent += [("a\x1bb.csv", good), ("a" * 300, good), ("a.csv", b""), ("a.csv", b"Name\nD\x00g\n")]
    sent += [("a.csv", b"x" * (state.settings.import_max_bytes + 1))]
    for name, content in sent:
        answer = await pm.post(url, files={"file": (name, content)}, headers=form_headers(pm))
        assert answer.status_code in {413, 422}, f"{name}: {answer.status_code} {answer.text[:200]}"
        assert await left(state, firm, urls) == before, name


async def test_E08_a_file_with_mistakes_changes_no_task_at_any_step(
    uploads: str, pm: As, firm: Firm, urls: ClusterUrls
) -> None:
    lines = ["Ref,Name,Due,Parent", "1,Dig,2026-02-30,2", "2,,,1", "3,Fine,2026-03-01,", '4,"=1+1",infinity,9']
    content = "\n".join(lines).encode()
    before = await fingerprint(urls, firm)
    made = await pm.post(uploads, files={"file": ("plan.csv", content)}, headers=form_headers(pm))
    run = f"/api/v1/app/imports/{made.json()['id']}"
    for step in ("check", "application"):
        answer = await pm.post(f"{run}/{step}", json={})
        assert (answer.status_code, answer.json()["state"]) == (200, "checked")
        errors = [(one["line"], one["column"], one["code"], one["value"]) for one in answer.json()["report"]["errors"]]
        assert errors == [
            (2, "Due", "date", "2026-02-30"),
            (3, "Name", "blank", ""),
            (3, "Parent", "cycle", "1"),
            (5, "Due", "date", "infinity"),
            (5, "Parent", "unknown", "9"),
        ]
    after = await fingerprint(urls, firm)
    assert {table for table, rows in after.items() if rows != before[table]} == {"import_run"}


async def test_the_wizard_says_what_is_wrong_with_the_columns_and_keeps_the_choice(uploads: str, pm: As) -> None:
    content = b"A,B\nDig,2026-12-01\n"
    made = await pm.post(uploads, files={"file": ("plan.csv", content)}, headers=form_headers(pm))
    page = f"/imports/{made.json()['id']}"
    for columns, told in (
        ({"column-0": "name", "column-1": "name"}, "Two columns are mapped to name."),
        ({"column-0": "colour"}, "colour is nothing that can be imported."),
        ({"column-1": "due"}, "One column must be the name of the task."),
        ({"column-0": ["name", "due"]}, "Give this once."),
    ):
        answer = await pm.post(f"{page}/check", data=columns, headers=form_headers(pm))
        assert (answer.status_code, told in answer.text) == (422, True), f"{columns} {answer.text[:300]}"
        assert ('value="due" selected' in answer.text) is ("due" in str(columns)), columns
    file = await pm.post(f"{page}/check", files={"column-0": ("a.csv", content)}, headers=form_headers(pm))
    assert file.status_code == 422


async def test_the_wizard_says_that_a_file_was_imported_already(uploads: str, pm: As) -> None:
    made = await pm.post(uploads, files={"file": ("plan.csv", b"Name\nDig\n")}, headers=form_headers(pm))
    page = f"/imports/{made.json()['id']}"
    assert (await pm.post(f"{page}/application", data={}, headers=form_headers(pm))).status_code == 303
    for step in ("application", "check"):
        again = await pm.post(f"{page}/{step}", data={"column-0": "name"}, headers=form_headers(pm))
        assert (again.status_code, "imported" in again.text) == (422, True), again.text[:300]
