"""B04, H01-H03: the API against its own description, with requests that fit it and requests that do not."""

import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from schemathesis import GenerationMode

from tests.conformance.crawl import form_headers
from tests.conformance.fuzzing import Described, Request, Told, cases, fill, judge, operations, request_of
from tests.conformance.scene import APP, Scene, furnished
from zena.accounts.permissions import Role, permissions_of
from zena.kit.state import State

pytestmark = pytest.mark.proof

FULL = bool(os.environ.get("ZENA_FULL_SIZE"))
#: For each operation, caller and kind of data; there are about ninety operations.
COUNT = 40 if FULL else 4
CALLERS = ("owner", "member", "token")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module")
async def made(state: State, http: httpx.AsyncClient) -> dict[GenerationMode, list[tuple[Described, list[Request]]]]:
    """Return requests for each operation of the description that the application itself gives out."""
    scene = await furnished(state, http)
    described = operations((await scene.by().get("/api/v1/openapi.json")).json())
    return {mode: [(one, cases(one, mode, COUNT * len(CALLERS))) for one in described] for mode in MODES}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("caller", CALLERS)
async def test_H03_the_api_keeps_to_its_description(
    made: dict[GenerationMode, list[tuple[Described, list[Request]]]],
    state: State,
    http: httpx.AsyncClient,
    caller: str,
    mode: GenerationMode,
) -> None:
    told, sent = Told(), 0
    scene = await furnished(state, http)
    headers = await _headers(scene, caller)
    dice = random.Random(f"{caller} {mode.value}")  # noqa: S311 - the same requests in each run
    for operation, requests in made[mode]:
        if operation.method != "get" and not await _stands(http, scene, headers):
            scene = await furnished(state, http)
            headers = await _headers(scene, caller)
        for case in requests[CALLERS.index(caller) :: len(CALLERS)]:
            fill(case, scene.ids, dice)
            http.cookies.clear()
            request = request_of(case, str(http.base_url), headers)
            answer = await http.send(request)
            sent += 1
            told.statuses[answer.status_code] = told.statuses.get(answer.status_code, 0) + 1
            told.failures += [
                f"{operation.label}: {request.url} {request.content!r:.300} {f}" for f in judge(case, answer, mode)
            ]
    print(f"{caller}, {mode.value}: {sent} requests, {told.listing()}")
    assert told.failures == [], told.listing()
    taken = sum(times for status, times in told.statuses.items() if status < 300)
    assert sent >= len(made[mode]) * COUNT * 3 // 4, "about as many as asked for"
    assert taken * 6 >= sent if mode is GenerationMode.POSITIVE else taken * 20 <= sent, told.listing()


async def _headers(scene: Scene, caller: str) -> Mapping[str, str]:
    if caller != "token":
        speaker = scene.by(caller)
        assert speaker.caller is not None
        return speaker.caller.headers | form_headers(speaker)
    end = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    wish = {"name": "fuzz", "scopes": sorted(permissions_of(Role.OWNER)), "expires_at": end}
    made = await scene.tell("POST", f"{APP}/tokens", wish)
    return {"authorization": f"Bearer {made['secret']}"}


async def _stands(http: httpx.AsyncClient, scene: Scene, headers: Mapping[str, str]) -> bool:
    """Tell whether the caller is still let in and the main things are still there."""
    http.cookies.clear()
    paths = (f"{APP}/tasks/{scene.ids['task_id']}", f"{APP}/tasks/{scene.ids['third_task_id']}")
    answers = [await http.get(path, headers=dict(headers)) for path in paths]
    return {answer.status_code for answer in answers} == {200}
