"""The promises in other tools' languages: the specification's shape, a scrape's names, the same alarms as ours."""

import json
import re
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
import yaml

from tests.cli.run import zena
from tests.factories.visits import visiting
from tests.kit.tools import program
from zena.kit.embedded import ClusterUrls
from zena.kit.state import State
from zena.main import create_app
from zena.operate.slo.burn import RULES, Count, Status, as_json, status_of
from zena.operate.slo.dashboard import PANELS, grafana_dashboard
from zena.operate.slo.objectives import OBJECTIVES
from zena.operate.slo.openslo import openslo
from zena.operate.slo.rules import alert_name, prometheus_rules
from zena.operate.telemetry.flush import Flusher
from zena.operate.telemetry.recorder import Recorder
from zena.operate.telemetry.requests import Requests
from zena.operate.telemetry.rollup import count_objectives

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SELECTOR = re.compile(r"(zena[\w:]+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"(?:by|on) \(([^)]*)\)")

#: Bad and total by window: what stands for a quiet day, fast and slow fires, too few to tell, a fire that is out.
CASES: tuple[dict[str, tuple[int, int]], ...] = (
    dict.fromkeys(("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"), (0, 1000)),
    dict.fromkeys(("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"), (900, 1000)),
    {"5m": (20, 100), "30m": (100, 500), "1h": (200, 1000), "6h": (200, 6000), "30d": (200, 100_000)},
    {"5m": (9, 9), "30m": (9, 9), "1h": (9, 9), "2h": (9, 9), "6h": (9, 9), "1d": (9, 99), "30d": (9, 99)},
    {"1h": (800, 1000), "6h": (800, 1000), "30m": (0, 10), "5m": (0, 10), "30d": (800, 10**6)},
    {"2h": (18, 1000), "1d": (180, 10_000), "3d": (600, 30_000), "6h": (60, 3000), "30d": (6000, 300_000)},
    {"1h": (300, 1000), "30d": (300, 1000)},
)


class Metadata(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of OpenSLO v1 that we write; any other is a mistake of ours."""

    name: str
    displayName: str  # noqa: N815 - as the specification spells it


class Object(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: str  # noqa: N815 - as above
    kind: str
    metadata: Metadata
    spec: dict[str, Any]


@pytest.fixture
async def scrape(state: State, urls: ClusterUrls) -> dict[str, list[dict[str, str]]]:
    """Labels of every sample by name, of an instance that has seen a bit of everything."""
    made = Recorder(Requests(), state.clock.now().timestamp)
    with visiting(str(uuid4())):
        made.request("/api/v1/app/tasks", "GET", 200, 0.1)
        made.request("/api/v1/app/tasks", "GET", 500, 0.4)
    made.cache("kpi", None)
    for metric in ("query", "job"):
        made.observe(metric, "x", 0.01)
    assert await Flusher(state, made, "web").flush()
    conn = await asyncpg.connect(urls.ops)
    try:
        await conn.execute(
            "INSERT INTO queue.pgqueuer (priority, entrypoint, status) VALUES (0, 'none.such', 'failed')"
        )
        now = state.clock.now()
        await count_objectives(conn, now.replace(second=0), now)
        transport = httpx.ASGITransport(app=create_app(state), client=("127.0.0.1", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            answer = await client.get("/api/v1/metrics?format=prometheus")
        assert answer.status_code == 200, answer.text
        await conn.execute("DELETE FROM queue.pgqueuer WHERE entrypoint = 'none.such'")
    finally:
        await conn.close()
    found: dict[str, list[dict[str, str]]] = {}
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            sample = _SAMPLE.match(line)
            assert sample is not None, line
            float(sample[3])
            found.setdefault(sample[1], []).append(dict(_LABEL.findall(sample[2] or "")))
    return found


def read_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(prometheus_rules())["groups"] for rule in group["rules"]]


def known_to(expr: str, samples: Mapping[str, list[dict[str, str]]]) -> None:
    """Every metric and label of an expression is there, values of labels that do not come from data too."""
    selected = _SELECTOR.findall(expr)
    assert selected, expr
    for name, labels in selected:
        assert name in samples, (name, sorted(samples))
        there = samples[name]
        for label, value in _LABEL.findall(labels):
            assert any(label in one for one in there), (name, label)
            assert label == "slo" or any(one[label] == value for one in there) or label == "window", (name, value)
        if len(selected) == 1:
            for label in ", ".join(_GROUPED.findall(expr)).split(", "):
                assert not label or any(label in one for one in there), (name, label)


async def test_rules_and_dashboard_ask_for_what_a_scrape_has(scrape: dict[str, list[dict[str, str]]]) -> None:
    samples = dict(scrape)
    for rule in read_rules():
        known_to(rule["expr"], samples)
        if "record" in rule:
            samples[rule["record"]] = scrape["zena_slo_events"]
    panels = json.loads(grafana_dashboard())["panels"]
    assert len(panels) == len(PANELS) + 1
    for panel in panels:
        for target in panel["targets"]:
            known_to(target["expr"], scrape)
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in target["expr"]
    assert {label["slo"] for label in scrape["zena_slo_state"]} == {objective.id for objective in OBJECTIVES}
    assert {label["window"] for label in scrape["zena_slo_events"]} >= {name for rule in RULES for name in rule[2:]}


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    panels = json.loads(grafana_dashboard())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = sorted((panel["gridPos"]["y"], panel["gridPos"]["x"], panel["gridPos"]["h"]) for panel in panels)
    for (y, x, high), (below, beside, _) in pairwise(places):
        assert (below == y and beside > x) or below == y + high


def test_openslo_has_the_shape_of_the_specification() -> None:
    found = [msgspec.convert(one, Object) for one in yaml.safe_load_all(openslo())]
    assert [one.kind for one in found] == ["Service", "DataSource", *["SLO"] * len(OBJECTIVES)]
    service, source, *slos = found
    for one in found:
        assert one.apiVersion == "openslo/v1"
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", one.metadata.name)
    for one, objective in zip(slos, OBJECTIVES, strict=True):
        spec = one.spec
        assert spec.keys() == {
            "description", "service", "indicator", "timeWindow", "budgetingMethod", "objectives",
        }  # fmt: skip
        assert (spec["service"], spec["budgetingMethod"]) == (service.metadata.name, "Occurrences")
        [window] = spec["timeWindow"]
        assert re.fullmatch(r"[1-9]\d*[mhdwMQY]", window["duration"])
        assert window["isRolling"] is True
        [target] = spec["objectives"]
        assert target["target"] == objective.target
        ratio = spec["indicator"]["spec"]["ratioMetric"]
        assert ratio.keys() == {"counter", "bad", "total"}
        for side in ("bad", "total"):
            assert ratio[side]["metricSource"]["metricSourceRef"] == source.metadata.name


def test_the_command_writes_a_file_or_says_why_not(tmp_path: Path) -> None:
    written = tmp_path / "zena.rules.yml"
    ran = zena("slo", "export", "--format", "prometheus", "--out", str(written), module="zena")
    assert (ran.code, ran.out) == (0, f"written to {written}\n")
    assert written.read_text(encoding="utf-8") == prometheus_rules()
    ran = zena("slo", "export", "--format", "grafana", "--out", str(tmp_path), module="zena")
    assert (ran.code, ran.err) == (74, f"zena: {tmp_path}: Is a directory\n")


def test_every_alarm_is_told_in_a_name_of_its_own() -> None:
    alarms = [rule["alert"] for rule in read_rules() if "alert" in rule]
    budgets = [objective for objective in OBJECTIVES if objective.kind == "budget"]
    assert len(alarms) == len(set(alarms)) == len(budgets) * (len(RULES) + 1) + (len(OBJECTIVES) - len(budgets)) + 2


def test_prometheus_goes_off_where_we_do(tmp_path: Path) -> None:
    """The same counts, given to `zena slo check`'s own judgement and to Prometheus."""
    promtool, rules = program("promtool"), tmp_path / "rules.yml"
    rules.write_text(prometheus_rules(), encoding="utf-8")
    tests = [one_test(case) for case in CASES]
    tests.append({
        "interval": "1m",
        "input_series": [{"series": "zena_slo_age_seconds", "values": "400x20"}],
        "alert_rule_test": [
            {"eval_time": "10m", "alertname": name, "exp_alerts": [expected(name)]}
            for name in ("ZenaAbsent", "ZenaUncounted")
        ],
    })  # fmt: skip
    dashboard = tmp_path / "dashboard.yml"
    asked = [{"record": f"panel:{number}", "expr": panel[2]} for number, panel in enumerate(PANELS)]
    dashboard.write_text(json.dumps({"groups": [{"name": "panels", "rules": asked}]}), encoding="utf-8")
    written = tmp_path / "tests.yml"
    written.write_text(json.dumps({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests}))
    for words in (["check", "rules", str(rules), str(dashboard)], ["test", "rules", str(written)]):
        ran = subprocess.run([promtool, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    going_off = sum(bool(check["exp_alerts"]) for test in tests for check in test["alert_rule_test"])
    assert going_off > 40


def expected(name: str) -> dict[str, Any]:
    rule = next(rule for rule in read_rules() if rule.get("alert") == name)
    return {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}


def one_test(case: dict[str, tuple[int, int]]) -> dict[str, Any]:
    counts = {name: Count(total - bad, total) for name, (bad, total) in case.items()}
    series, checks = [{"series": "zena_slo_age_seconds", "values": "20x9"}], []
    for objective in OBJECTIVES:
        found = status_of(objective, counts)
        slo = f'slo="{objective.id}"'
        series.append({"series": f"zena_slo_state{{{slo}}}", "values": "0x9"})
        left = as_json(found)["budget_left"]
        if left is not None:
            series.append({"series": f"zena_slo_budget_left{{{slo}}}", "values": f"{left}x9"})
        for window, (bad, total) in case.items():
            for name, value in (("events", total), ("bad_events", bad)):
                for instance in ("a", "b"):
                    labels = f'{{{slo},window="{window}",instance="{instance}"}}'
                    series.append({"series": f"zena_slo_{name}{labels}", "values": f"{value}x9"})
        burning = going_off(found)
        prefix = alert_name(objective, "")
        names = [rule["alert"] for rule in read_rules() if rule.get("alert", "").startswith(prefix)]
        names = [name for name in names if name.removeprefix(prefix)[0].isupper()]
        checks += [
            {"eval_time": "5m", "alertname": name, "exp_alerts": [expected(name)] if name in burning else []}
            for name in names
        ]
    return {"interval": "1m", "input_series": series, "alert_rule_test": checks}


def going_off(found: Status) -> set[str]:
    """The names of the alarms that our own judgement means."""
    objective = found.objective
    if objective.kind == "goal":
        return {alert_name(objective, "missed")} if found.state == "burning" else set()
    names = {alert_name(objective, f"burning{alert.window}") for alert in found.alerts}
    return names | ({alert_name(objective, "spent")} if found.state == "exhausted" else set())
