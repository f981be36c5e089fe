"""The docs name what the code has, nothing less and nothing more."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import pytest
import typer

from scripts.tree import ROOT, files, read
from zena.__main__ import COMMANDS, HOOKS
from zena.accounts.permissions import ROLE_PERMISSIONS, Permission, Role
from zena.cli import build_cli
from zena.kit import errors
from zena.kit.events import EVENTS, Event
from zena.kit.exits import Exit
from zena.kit.queue.admin import TRIM
from zena.kit.queue.crons import cron_job
from zena.kit.realtime import Limits, channels, frames
from zena.main import build_registry

REGISTRY = build_registry()
SOURCES = {path: ast.parse(read(path)) for path in files(".py", below=("src/zena/",))}
PAGES = [*files(".md", below=("docs/",)), "README.md", "CONTRIBUTING.md", "SECURITY.md", "STYLE.md", "CHANGELOG.md"]
#: Words in capitals that are no codes of the API.
OTHER_WORDS = {
    "PG_VERSION",
    "LC_ALL",
    "LC_MESSAGES",
    "XDG_RUNTIME_DIR",
    "DATABASE_URL",
    "REDIS_URL",
    "CURRENT_DATE",
    "PGCONNECT_TIMEOUT",
}
#: Names of folders at whose head a path in the docs stands.
HEADS = (
    "docs/",
    "src/",
    "scripts/",
    "tests/",
    "requirements/",
    "bench/",
    "kit/",
    "accounts/",
    "work/",
    "insight/",
    "operate/",
    "cli/",
)


def ticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of every table of a page whose header begins like this."""
    found, inside = [], False
    for line in read(page).splitlines():
        inside = line.startswith("|") and (inside or line.startswith(header))
        if inside and not line.startswith((header, "|---")):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    assert found, f"{page} has no table {header}"
    return found


def named(page: str, header: str, column: int = 0) -> list[str]:
    return [name for row in rows(page, header) for name in ticked(row[column])]


def same(documented: Iterable[Any], real: Iterable[Any]) -> None:
    """Both, once each: the difference is what the failure shows."""
    listed, there = sorted(documented), sorted(real)
    assert [one for one in there if one not in listed] == [], "in the code and not in the docs"
    assert [one for one in listed if one not in there] == [], "in the docs and not in the code"
    assert len(listed) == len(set(listed)), "in the docs twice"


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command of the program as it is run, with those of the slices."""
    root: Any = typer.main.get_command(build_cli(COMMANDS, HOOKS))
    context = root.make_context("zena", ["config", "page"], resilient_parsing=True)
    for name in root.list_commands(context):
        _, command, _ = root.resolve_command(context, [name])
        for leaf in (getattr(command, "commands", None) or {"": command}).values():
            if not leaf.hidden:
                yield f"zena {name} {leaf.name if leaf is not command else ''}".strip(), leaf


LEAVES = dict(leaves())


def shown(command: Any) -> set[str]:
    """Arguments as METAVARs and options, without hidden ones."""
    names: set[str] = set()
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            names.add((parameter.metavar or parameter.name).upper())
        elif not parameter.hidden and parameter.name != "help":
            names.add(next(word for word in parameter.opts if word.startswith("--")))
    return names


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^### (zena .+)$", read(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section() -> None:
    same(sections("docs/operate/commands.md"), LEAVES)


@pytest.mark.parametrize("command", LEAVES)
def test_a_command_is_described_with_its_arguments_options_and_an_example(command: str) -> None:
    section = sections("docs/operate/commands.md")[command]
    listed = [line[3:].partition("`")[0].split()[0] for line in section.splitlines() if line.startswith("- `")]
    same(listed, shown(LEAVES[command]))
    assert command in section.partition("```")[2], "an example"


@pytest.mark.parametrize("command", LEAVES)
def test_the_help_of_a_command_carries_an_example_that_is_one(command: str) -> None:
    said = LEAVES[command].help or ""
    example = said.partition("Example: ")[2].partition("\n")[0]
    assert command in example, said
    words = set(re.findall(r"--[a-z-]+", example.partition(command)[2]))
    assert words <= shown(LEAVES[command]) | {"--json"}


def test_every_exit_code_is_explained() -> None:
    same((int(row[0]) for row in rows("docs/operate/commands.md", "| code |")), map(int, Exit))


def test_every_job_is_described_with_its_attempts_and_time_limit() -> None:
    described = [(ticked(row[0])[0], int(row[2]), row[3]) for row in rows("docs/operate/jobs.md", "| job |")]
    same(described, ((job.name, job.attempts, f"{job.timeout:.0f} s") for job in REGISTRY.jobs.values()))


def test_every_schedule_is_described_with_its_time() -> None:
    described = [(ticked(row[0])[0], ticked(row[1])[0]) for row in rows("docs/operate/jobs.md", "| schedule |")]
    crons = [*REGISTRY.crons.values(), TRIM]
    same(described, ((cron.name, cron.schedule) for cron in crons))
    assert {(cron_job(cron).attempts, cron_job(cron).timeout) for cron in crons} == {(5, 900), (5, 21_600)}, (
        "what jobs.md says"
    )


def declared() -> dict[str, type[Event]]:
    """The events of the program; tests declare some of their own."""
    return {name: kind for name, kind in EVENTS.items() if kind.__module__.startswith("zena.")}


def test_every_event_is_described_with_its_fields() -> None:
    described = [(ticked(row[0])[0], tuple(ticked(row[2]))) for row in rows("docs/api/events.md", "| type |")]
    common = set(Event.__struct_fields__)
    real = {name: tuple(f for f in kind.__struct_fields__ if f not in common) for name, kind in declared().items()}
    same(described, real.items())


def test_every_event_happens() -> None:
    """Each class is used in a room that does something, not just declared and imported."""
    used = {
        node.id
        for path, tree in SOURCES.items()
        if not path.endswith("/events.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
    }
    assert [name for name, kind in declared().items() if kind.__name__ not in used] == []


def test_every_permission_is_described_with_who_holds_it() -> None:
    page, header = "docs/api/permissions.md", "| permission |"
    assert header + " opens | " + " | ".join(Role) + " |" in read(page)
    cells = [(ticked(row[0])[0], tuple(cell == "yes" for cell in row[2:])) for row in rows(page, header)]
    real = ((str(right), tuple(right in ROLE_PERMISSIONS[role] for role in Role)) for right in Permission)
    same(cells, real)


def kinds() -> dict[str, type[errors.Problem]]:
    return {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.Problem)
    }


def constants(tree: ast.Module) -> dict[str, str]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                found[target.id] = node.value.value
    return found


def raised() -> Iterator[tuple[str, int]]:
    """Every code beside its status, where a refusal is made in one expression."""
    known = kinds()
    yield from ((kind.code, kind.status) for kind in known.values())
    for tree in SOURCES.values():
        names = constants(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if ast.unparse(node.func) == "NotFound.of" and isinstance(node.args[0], ast.Constant):
                yield f"{str(node.args[0].value).upper()}_NOT_FOUND", 404
            kind = known.get(node.func.id) if isinstance(node.func, ast.Name) else None
            for keyword in node.keywords if kind else ():
                if kind and keyword.arg == "code" and isinstance(keyword.value, ast.Constant | ast.Name):
                    value = keyword.value
                    code = names.get(value.id) if isinstance(value, ast.Name) else str(value.value)
                    if code:
                        yield code, kind.status


def spelled() -> set[str]:
    """Whatever looks like a code: in capitals, of several words."""
    words = {
        node.value
        for path, tree in SOURCES.items()
        if "/settings/" not in path
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    exported = {name for tree in SOURCES.values() for name in _exported(tree)}
    looks_like = {word for word in words if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word) and not word.startswith("ZENA_")}
    return looks_like - OTHER_WORDS - exported


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def test_every_error_code_is_explained_with_its_status() -> None:
    page = rows("docs/api/errors.md", "| code |")
    documented = {code: {int(status) for status in row[1].split(",")} for row in page for code in ticked(row[0])}
    real: dict[str, set[int]] = {}
    for code, status in raised():
        real.setdefault(code, set()).add(status)
    same(documented, real.keys() | spelled())
    assert {code: seen for code, seen in real.items() if not seen <= documented[code]} == {}
    assert {code: said for code, said in documented.items() if code in real and not said <= real[code]} == {}


def live_trees() -> list[ast.Module]:
    return [tree for path, tree in SOURCES.items() if path.startswith("src/zena/kit/realtime/")]


def first_words(*functions: str) -> set[str]:
    """The first argument of every call of these in kit/realtime."""
    return {
        node.args[0].value
        for tree in live_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in functions
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


def test_the_live_protocol_is_described() -> None:
    page = "docs/api/live.md"
    same(named(page, "| resource |"), REGISTRY.channels)
    said = [frames.Authenticate, frames.Subscribe, frames.Unsubscribe, frames.Ping]
    same(named(page, "| you send |"), (str(kind.__struct_config__.tag) for kind in said))
    same(named(page, "| you get |"), first_words("frame") - {"mark"})
    documented = [ticked(row[0])[0] for row in rows(page, "| code | meaning |") if not row[0].isdecimal()]
    same(documented, first_words("error_frame", "ChannelRefused") | {*channels._CODES.values()})


def test_every_close_code_is_explained() -> None:
    real = {
        node.value.value
        for tree in live_trees()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
        and (1000 <= node.value.value < 1016 or 4000 <= node.value.value < 5000)
    }
    same((int(row[0]) for row in rows("docs/api/live.md", "| code | meaning | what to do |")), real)


def test_every_limit_of_the_live_connection_is_told() -> None:
    page = rows("docs/api/live.md", "| limit |")
    documented = {ticked(row[0])[0]: float(re.match(r"\d+", row[1])[0]) for row in page}  # type: ignore[index]  # fails if none
    same(documented.items(), ((entry.name, float(str(entry.default))) for entry in fields(Limits)))


def test_every_make_target_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.* ## ", read("Makefile"), re.MULTILINE)
    same((name.removeprefix("make ") for name in named("CONTRIBUTING.md", "| target |")), targets)


def anchors(page: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (folder / path).resolve() if path else ROOT / page
        assert there.exists(), target
        assert not anchor or anchor in anchors(str(there.relative_to(ROOT))), target


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_are_named_exist(page: str) -> None:
    for path in ticked(re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)):
        if re.fullmatch(r"[\w./-]+", path) and path.startswith(HEADS) and "//" not in path:
            places = (ROOT / path, ROOT / "src" / "zena" / path)
            assert any(place.exists() for place in places), path
