"""Projects, the labels of the firm, and plans read from a file."""

from tests.conformance.sides import Side
from tests.conformance.twins.shape import PROJECT, Twin, both, did

_PROJECTS = [
    Twin(
        "POST /projects",
        "POST /api/v1/app/projects",
        *both(name="Quay wall", key="QW", description="Long", start_on="2026-01-05", end_on="2026-02-05"),
        bad=(
            both(name=""),
            both(name="A", key="1"),
            both(name="A", key="$project_key"),
            both(name="A", start_on="2026-02-05", end_on="2026-01-05"),
        ),
    ),
    Twin(
        "POST /projects/{project_key}/settings",
        f"PATCH {PROJECT}",
        {"name": "Quay", "priority": "low", "risk_level": "high", "owner_id": "$pm", "budget_planned": "500"},
        {"name": "Quay", "description": "", "priority": "low", "risk_level": "high", "owner_id": "$pm"}
        | {"start_on": None, "end_on": None, "budget_planned": 500, "budget_actual": None},
        bad=(
            ({"name": "A", "priority": "x", "risk_level": "low"}, {"name": "A", "priority": "x"}),
            ({"name": "A", "priority": "low", "risk_level": "x"}, {"name": "A", "risk_level": "x"}),
            (
                {"name": "A", "priority": "low", "risk_level": "low", "budget_planned": "-1"},
                {"budget_planned": -1},
            ),
        ),
    ),
    Twin(
        "POST /projects/{project_key}/status",
        f"POST {PROJECT}/status",
        *both(status="completed", cascade="cancel"),
        bad=(both(status="archived"), both(status="x")),
    ),
    Twin(
        "POST /projects/{project_key}/members",
        f"POST {PROJECT}/members",
        *both(member_id="$member", role="manager"),
        bad=(both(member_id="$member", role="x"),),
    ),
    Twin(
        "POST /projects/{project_key}/members",
        f"DELETE {PROJECT}/members/{{member}}",
        {"member_id": "$member", "role": ""},
    ),
    Twin("POST /projects/{empty_key}/trash", "POST /api/v1/app/projects/{empty_id}/trash", first=Side.empty),
    Twin("POST /projects/{empty_key}/restore", "POST /api/v1/app/projects/{empty_id}/restore", first=Side.thrown),
]

_LABELS = [
    Twin(
        "POST /labels",
        "POST /api/v1/app/labels",
        {"name": "Steel", "hue": "3"},
        {"name": "Steel", "hue": 3},
        bad=(
            ({"name": " ", "hue": "3"}, {"name": " ", "hue": 3}),
            ({"name": "Steel", "hue": "12"}, {"name": "Steel", "hue": 12}),
        ),
    ),
    Twin(
        "POST /labels/{label_id}",
        "PATCH /api/v1/app/labels/{label_id}",
        {"name": "Steel", "hue": "4"},
        {"name": "Steel", "hue": 4},
        bad=(
            ({"name": "", "hue": "3"}, {"name": "", "hue": 3}),
            ({"name": "Steel", "hue": "-1"}, {"name": "Steel", "hue": -1}),
        ),
    ),
    Twin("POST /labels/{label_id}/removal", "DELETE /api/v1/app/labels/{label_id}"),
]

_CHECK = "/api/v1/app/imports/{import_id}/check"
_IMPORTS = [
    Twin(
        "POST /projects/{project_key}/imports",
        f"POST {PROJECT}/imports",
        files={"file": ("plan.csv", b"Ref,Name\n1,Dig\n", "text/csv")},
    ),
    Twin(
        "POST /imports/{import_id}/check",
        f"POST {_CHECK}",
        {"column-1": "name"},
        {"mapping": {"Name": "name"}},
        bad=(
            ({"column-1": "colour"}, {"mapping": {"Name": "colour"}}),
            ({"column-0": "name", "column-1": "name"}, {"mapping": {"Ref": "name", "Name": "name"}}),
            ({}, {"mapping": {}}),
        ),
    ),
    Twin(
        "POST /imports/{import_id}/application",
        "POST /api/v1/app/imports/{import_id}/application",
        first=did("POST", _CHECK, {"mapping": {"Name": "name"}}),
    ),
]

TWINS = [*_PROJECTS, *_LABELS, *_IMPORTS]
