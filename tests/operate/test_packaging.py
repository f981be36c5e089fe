"""What is handed out for servers: units, compose file, image and proxies name what the program really has."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from scripts.tree import ROOT, files
from tests.faults.installation import STOPPING
from tests.kit.tools import program
from zena.__main__ import COMMANDS, HOOKS
from zena.cli import build_cli
from zena.cli.process import WEB_ROLES, WORKER_ROLES
from zena.kit.supervisor.plan import Spec
from zena.settings.load import VARIABLES, load_settings

PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
VARIABLE = re.compile(r"\b(ZENA_[A-Z_]+?)(?:_FILE)?\b")
#: Which roles each process holds, as `zena serve` hands them out.
HELD = {"web": WEB_ROLES, "worker": WORKER_ROLES, "migrate": ("app", "owner", "ops", "ops_read")}


def unit(path: Path) -> dict[str, list[str]]:
    """The lines of [Service], by name."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").partition("[Service]")[2].splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PACKAGING / "compose/compose.yaml").read_text(encoding="utf-8"))
    return found


def interpolated(value: str, given: dict[str, str]) -> str:
    """As compose does it; a variable that is not given has to be refused by the file itself."""

    def replace(found: re.Match[str]) -> str:
        assert found[2].startswith(":?"), f"{found[0]} has a default, or none is demanded"
        return given[found[1]]

    return re.sub(r"\$\{(\w+)([^}]*)\}", replace, value)


def known(words: list[str]) -> None:
    """`zena` has such a command, with such options."""
    assert words[0] in {"zena", "/opt/zena/bin/zena"}
    found: Any = typer.main.get_command(build_cli(COMMANDS, HOOKS))
    for word in words[1:]:
        if hasattr(found, "get_command"):
            found = found.get_command(None, word)
            assert found is not None, words
        elif word.startswith("-"):
            assert any(word in option.opts for option in found.params), words


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_what_systemd_understands(path: Path, tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for one in UNITS:
        text = one.read_text(encoding="utf-8").replace("/opt/zena/bin/zena", f"{Path(sys.executable).parent}/zena")
        (tmp_path / one.name).write_text(text, encoding="utf-8")
    command = [analyze, "verify", "--man=no", str(tmp_path / path.name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    command = [analyze, "security", "--offline=yes", "--threshold=20", str(tmp_path / path.name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-1500:]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_there_is_and_waits_until_it_has_drained(path: Path) -> None:
    found = unit(path)
    [command] = found["ExecStart"]
    known(command.split())
    assert {line.partition("=")[0] for line in found["Environment"]} <= VARIABLES.keys()
    grace = Spec("", [], []).grace
    longest = {"zena.service": STOPPING, "zena-web@.service": grace, "zena-worker@.service": 30.0}.get(path.name)
    if longest is not None:
        assert float(found["TimeoutStopSec"][0]) >= longest + 10
        assert set(found["RestartPreventExitStatus"][0].split()) == {"64", "78"}


def test_every_variable_that_is_named_is_a_setting() -> None:
    named = {
        (path, name)
        for path in (*files(below=("packaging/",)), "docs/operate/servers.md")
        for name in VARIABLE.findall((ROOT / path).read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert {(path, name) for path, name in named if name not in VARIABLES} == set()


def test_compose_starts_nothing_without_a_password_and_everything_with_them(tmp_path: Path) -> None:
    example = (PACKAGING / "compose/example.env").read_text(encoding="utf-8")
    wanted = {line.removesuffix("=") for line in example.splitlines() if line and not line.startswith("#")}
    text = (PACKAGING / "compose/compose.yaml").read_text(encoding="utf-8")
    assert wanted == set(re.findall(r"\$\{(\w+)", text))
    given = {name: f"{name.lower().replace('_', '')}{'7f' * 12}" for name in wanted} | {"SITE": "zena.example.com"}
    for name, service in compose()["services"].items():
        environment = {key: interpolated(value, given) for key, value in service.get("environment", {}).items()}
        if service["image"] == "zena":
            shell = re.search(r"zena [\w -]+", service["command"][-1])
            known(shell[0].split() if shell else service["command"])
        if name in HELD:
            load_settings(environment | {"ZENA_DATA_DIR": str(tmp_path)})  # in production, as it stands
            roles = {
                "ZENA_DATABASE_URL" if role == "app" else f"ZENA_DATABASE_{role.upper()}_URL" for role in HELD[name]
            }
            assert {key for key in environment if re.fullmatch(r"ZENA_DATABASE_(\w+_)?URL", key)} == roles
            assert environment.items() >= {"ZENA_PUBLIC_URL": "https://zena.example.com"}.items()


def test_compose_waits_for_what_it_needs_and_shows_nothing_but_the_proxy() -> None:
    found = compose()
    services = found["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    [subnet] = found["networks"]["inside"]["ipam"]["config"]
    proxy = services["proxy"]["networks"]["inside"]["ipv4_address"]
    assert services["web"]["environment"]["ZENA_TRUSTED_PROXIES"] == proxy
    assert subnet["subnet"].rpartition(".")[0] == proxy.rpartition(".")[0]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            once = services[needed].get("restart") == "no"
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy"), (name, needed)
            assert once or "healthcheck" in services[needed]
        mounted = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        assert {volume for volume in mounted if not volume.startswith(".")} <= found["volumes"].keys()


def test_the_image_is_made_from_locked_packages_and_files_that_there_are() -> None:
    text = (PACKAGING / "compose/Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+)", text, re.MULTILINE)
    sources = [source for line in copied for source in line.split()[:-1]]
    ignored = (PACKAGING / "compose/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert f"!{source}" in ignored
        assert source == "dist/*.whl" or (ROOT / source).is_file()
    assert "--require-hashes" in text
    assert re.search(r"^USER zena$", text, re.MULTILINE)
    assert not re.search(r"(?i)password|secret", text)


def test_caddy_understands_its_file(tmp_path: Path) -> None:
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(PACKAGING / "proxy/Caddyfile")]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
    )
    assert ran.returncode == 0, ran.stderr[-1500:]
