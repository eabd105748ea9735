from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from actorchat import logs


class StillClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return int(self.now_s * 1_000)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def set_up_is_undone() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_one_object_with_event_fields_level_logger_and_time(stream: io.StringIO) -> None:
    logs.logger("actorchat.test", node="n1").info("session opened", user="ann")
    (line,) = lines(stream)
    assert line["event"] == "session opened"
    assert (line["user"], line["node"]) == ("ann", "n1")
    assert (line["level"], line["logger"]) == ("info", "actorchat.test")
    assert line["timestamp"].endswith("Z")


def test_bound_fields_are_on_every_line_and_nowhere_else(stream: io.StringIO) -> None:
    plain = logs.logger("actorchat.test")
    plain.bind(session=7).warning("slow", name="n", args=1, message="m")
    plain.critical("data at risk")
    first, second = lines(stream)
    assert (first["session"], first["name"], first["args"], first["message"]) == (7, "n", 1, "m")
    assert "session" not in second
    assert second["level"] == "critical"


def test_field_never_replaces_what_the_line_itself_says(stream: io.StringIO) -> None:
    logs.logger("t").info("opened", level="fatal", logger="x", timestamp="never")
    line = lines(stream)[0]
    assert (line["event"], line["level"], line["logger"]) == ("opened", "info", "t")
    assert line["timestamp"] != "never"


@pytest.mark.parametrize("field", ["body", "secret", "password", "token", "key"])
def test_bodies_and_secrets_are_masked(stream: io.StringIO, field: str) -> None:
    fields: dict[str, object] = {field: "hunter2"}
    logs.logger("t").info("signed in", **fields)
    structlog.get_logger("library").info("signed in", **fields)
    assert "hunter2" not in stream.getvalue()
    assert [line[field] for line in lines(stream)] == ["[masked]", "[masked]"]


def test_bytes_are_shown_short(stream: io.StringIO) -> None:
    logs.logger("t").info("frame", head=b"\x01\x02", rest=bytes(100))
    line = lines(stream)[0]
    assert line["head"] == "0102"
    assert line["rest"] == f"{'00' * 16}… 100 bytes"


def test_level_is_a_threshold_and_debug_is_asked_for_once(stream: io.StringIO) -> None:
    log = logs.logger("t")
    assert log.is_debug
    logs.configure("warning", "json", stream)
    assert not log.is_debug
    log.debug("one")
    log.info("two")
    log.warning("three")
    assert [line["event"] for line in lines(stream)] == ["three"]


def test_other_libraries_lines_look_the_same(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("odd %s", "thing")
    structlog.get_logger("other").error("odder", part=2)
    first, second = lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("odd thing", "warning", "library")
    assert (second["event"], second["part"]) == ("odder", 2)


def test_fields_given_the_standard_library_s_way_are_shown_and_masked(stream: io.StringIO) -> None:
    extra = {"peer": "1.2.3.4", "token": "hunter2"}
    logging.getLogger("library").warning("session failed", extra=extra)
    (line,) = lines(stream)
    assert set(line) == {"event", "level", "logger", "timestamp", "peer", "token"}
    assert (line["peer"], line["token"]) == ("1.2.3.4", "[masked]")


def test_error_carries_its_traceback(stream: io.StringIO) -> None:
    try:
        raise KeyError("conversation")
    except KeyError as error:
        logs.logger("t").error("actor crashed", error, actor="a-1")
    (line,) = lines(stream)
    assert "KeyError: 'conversation'" in line["exception"]
    assert line["actor"] == "a-1"


def test_configuring_again_replaces_the_set_up() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", "json", first)
    logs.configure("info", "json", second)
    logs.logger("t").info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1


def test_terminal_gets_people_s_lines_and_a_pipe_gets_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    logs.configure("info", "auto", terminal)
    logs.logger("t").info("opened", user="ann")
    logs.configure("info", "auto", pipe)
    logs.logger("t").info("opened", user="ann")
    assert "\x1b[" in terminal.getvalue()
    assert "opened" in terminal.getvalue()
    assert lines(pipe)[0]["user"] == "ann"


@pytest.mark.parametrize(("level", "shape"), [("loud", "json"), ("info", "xml")])
def test_unknown_level_or_format_is_refused(level: str, shape: Any) -> None:
    with pytest.raises(ValueError, match=r"no log (level|format)"):
        logs.configure(level, shape, io.StringIO())


# -- warnings that repeat ---------------------------------------------------------------------


def test_repeated_warning_is_logged_once_and_counted(stream: io.StringIO) -> None:
    clock = StillClock()
    warnings = logs.Warnings(logs.logger("t"), clock, every_s=10.0)
    assert warnings.warn("bad frame", key="1.2.3.4", peer="1.2.3.4")
    assert not warnings.warn("bad frame", key="1.2.3.4")
    assert not warnings.warn("bad frame", key="1.2.3.4")
    assert warnings.warn("bad frame", key="5.6.7.8")
    assert warnings.warn("slow consumer", key="1.2.3.4")
    clock.now_s = 10.0
    assert warnings.warn("bad frame", key="1.2.3.4")
    shown = lines(stream)
    assert [line.get("suppressed") for line in shown] == [None, None, None, 2]
    assert warnings.suppressed == 2


def test_flood_of_keys_does_not_grow_the_table(stream: io.StringIO) -> None:
    warnings = logs.Warnings(logs.logger("t"), StillClock(), keys_max=4)
    assert warnings.warn("bad frame", key="kept")
    for number in range(100):
        assert warnings.warn("bad frame", key=number)
        assert not warnings.warn("bad frame", key="kept")  # used, so never the one forgotten
    assert not warnings.warn("bad frame", key=99)
    assert warnings.warn("bad frame", key=0)
    assert len(warnings._held) == 4
