"""One line per fact, with who and which request, without secrets."""

import io
import json
import logging
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from zena.kit.logs import get_logger, log_request, log_state, setup_logging, sinks
from zena.kit.visit import Visit, admit

log = get_logger("zena.test")
TOKEN = "zs_" + "aB3-xY9_" * 6


class Out(io.StringIO):
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def out() -> Iterator[Out]:
    level = logging.getLogger().level
    stream = Out()
    stop = setup_logging("debug", stream=stream)
    stream.stop = stop  # type: ignore[attr-defined]  # so that a test can wait for its lines
    yield stream
    stop()
    logging.getLogger().setLevel(level)


def written(out: Out) -> list[dict[str, Any]]:
    out.stop()  # type: ignore[attr-defined]  # see the fixture
    return out.lines()


def test_J08_a_line_stays_one_line(out: Out) -> None:
    log.info("first\n2026-01-01 ERROR forged", name="a\r\nb\x1b[2J\u2028\u202ec", many="x" * 10**6)
    (line,) = written(out)
    assert line["event"] == r"first\n2026-01-01 ERROR forged"
    assert line["name"] == r"a\r\nb\x1b[2J\u2028\u202ec"
    assert len(line["many"]) < 9_000


@pytest.mark.parametrize(
    "facts",
    [
        {"password": TOKEN}, {"new_password": TOKEN}, {"token": TOKEN}, {"headers": {"Authorization": TOKEN,
        "Cookie": TOKEN}},
        {"session_token": TOKEN}, {"api_key": TOKEN}, {"url": f"https://u:{TOKEN}@h/x"}, {"header": f"Bearer {TOKEN}"},
        {"path": f"/reset/{TOKEN}"}, {"query": f"a=1&token={TOKEN}&b=2"}, {"cookies": f"__Host-zena={TOKEN}; x=1"},
        {"rows": [{"secret": TOKEN}]}, {"error": ValueError(f"bad token={TOKEN}")},
        {"dsn": f"postgresql://a:{TOKEN}@h/d"},
    ],
)  # fmt: skip
def test_J04_secrets_do_not_arrive(out: Out, facts: dict[str, Any]) -> None:
    log.warning("look", **facts)
    logging.getLogger("a.library").warning("%s", facts)
    for line in written(out):
        assert TOKEN not in json.dumps(line)
        assert "***" in json.dumps(line)


def test_what_is_no_secret_stays(out: Out) -> None:
    facts = {
        "task": "0192f7a0-0000-7000-8000-000000000000",
        "digest": "a" * 64,
        "token_count": 3,
        "x": None,
        "secret_kind": "totp",
    }
    log.info("look", **facts)
    assert facts.items() <= written(out)[0].items()


def test_J04_stacks_are_cleaned_too(out: Out) -> None:
    try:
        int(f"connect postgresql://zena:{TOKEN}@db/x")
    except ValueError:
        log.exception("failed")
        logging.getLogger("a.library").exception("failed too")
    for line in written(out):
        assert "Traceback" in line["exception"]
        assert TOKEN not in line["exception"]


def test_lines_name_the_request(out: Out) -> None:
    def serve() -> None:
        admit({"state": {}}, Visit("abc123", tenant="t1", user="u1"))
        log.info("hello")
        logging.getLogger("a.library").info("hello")

    copy_context().run(serve)
    for line in written(out):
        assert {"request_id": "abc123", "tenant": "t1", "user": "u1"}.items() <= line.items()


@pytest.mark.parametrize(
    ("status", "seconds", "level"), [(200, 0.1, "debug"), (404, 0.1, "info"), (200, 0.5, "info"), (500, 0.1, "error")]
)
def test_access_lines(out: Out, status: int, seconds: float, level: str) -> None:
    log_request("/projects/{key}", "GET", status, seconds)
    (line,) = written(out)
    assert (line["level"], line["route"], line["status"], line["ms"]) == (
        level,
        "/projects/{key}",
        status,
        seconds * 1000,
    )


def test_F28_a_sink_that_stands_still_costs_lines_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.2)
            return len(text)

    monkeypatch.setattr(sinks, "QUEUED", 5)
    stop = setup_logging("info", stream=Stuck())
    began = time.perf_counter()
    for number in range(50):
        log.info("line", number=number)
    assert time.perf_counter() - began < 0.3
    assert log_state().dropped >= 40
    assert log_state().recently
    stop()


def test_people_read_text(out: Out) -> None:
    stream = io.StringIO()
    stop = setup_logging("info", as_json=False, stream=stream)
    log.info("hello", name="An")
    stop()
    assert " info    hello  name=An [zena.test]\n" in stream.getvalue()
