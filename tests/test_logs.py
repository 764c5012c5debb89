"""The log: one line a record, whatever a caller's number holds."""

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.logs import LEVELS, PRIORITIES, Formatter, LineHandler
from pbxrules.printable import escape

HOSTILE = 'a b\nlevel=info\r\x1b[2J\t\\n"=\u202e\u2028\x00\ud800é☎'


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("0301234", "0301234", id="digits"),
        pytest.param("a b=c", "a b=c", id="spaces"),
        pytest.param("äé☎", "äé☎", id="letters of other tongues"),
        pytest.param("a\nb\r\t", r"a\nb\r\t", id="line ends"),
        pytest.param("\x1b[2J", r"\x1b[2J", id="what moves a terminal's cursor"),
        pytest.param("\u202eabc", r"\u202eabc", id="what turns the text round"),
        pytest.param("\u2028", r"\u2028", id="a line end of Unicode"),
        pytest.param("a\\nb", r"a\\nb", id="a backslash, so that nothing looks escaped"),
        pytest.param("\ud800", r"\ud800", id="half a character"),
        pytest.param("\U000e0001", r"\U000e0001", id="a tag that nobody sees"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_text_on_one_line(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@given(st.text(st.characters(categories=None)))
def test_whatever_is_escaped_is_printable_and_can_be_read_back(text: str) -> None:
    escaped = escape(text)
    assert escaped.isprintable()
    back = re.sub(
        r"\\(\\|n|r|t|x..|u....|U........)",
        lambda found: found[0].encode("ascii").decode("unicode_escape"),
        escaped,
    )
    assert back == text


def line(
    fields: Mapping[str, object],
    *,
    style: str = "logfmt",
    name: str = "pbxrules.events",
    **how: bool,
) -> str:
    record = logging.LogRecord(name, logging.WARNING, __file__, 1, "ring %s", ("x",), None)
    record.created = 1_795_000_000.25
    record.fields = fields
    return Formatter(style, **{"priority": False, "time": False, **how}).format(record)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("0301234", "0301234", id="a plain text"),
        pytest.param("+49*31#", "+49*31#", id="what is dialled"),
        pytest.param("", '""', id="an empty text"),
        pytest.param("a b", '"a b"', id="a space"),
        pytest.param("a=b", '"a=b"', id="an equals sign"),
        pytest.param('a"b', r'"a\"b"', id="a quote"),
        pytest.param("a\nb", r'"a\nb"', id="a line end"),
        pytest.param(["a", "b"], "a,b", id="a list"),
        pytest.param(("a b", "c"), '"a b,c"', id="a list with a space"),
        pytest.param([], '""', id="an empty list"),
        pytest.param(7, "7", id="a number"),
        pytest.param(None, "None", id="none"),
    ],
)
def test_a_value_in_logfmt(value: object, written: str) -> None:
    assert line({"caller": value}) == f'level=warning msg="ring x" caller={written}'


def parsed(text: str) -> dict[str, str]:
    """A line of logfmt as its reader understands it, still escaped."""
    fields = re.findall(r'([^ =]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)', text)
    assert " ".join(f"{name}={value}" for name, value in fields) == text
    return {name: value[1:-1] if value[:1] == '"' else value for name, value in fields}


@given(st.text(st.characters(categories=None)) | st.sampled_from([HOSTILE]))
def test_no_value_ends_a_line_or_begins_a_field(text: str) -> None:
    written = line({"caller": text, "rules": [text, "b"], "last": "x"})
    assert written.isprintable()
    assert list(parsed(written)) == ["level", "msg", "caller", "rules", "last"]
    as_json = line({"caller": text, "last": "x"}, style="json")
    assert as_json.isprintable()
    assert as_json.isascii()
    assert json.loads(as_json) == {
        "level": "warning", "msg": "ring x", "caller": text, "last": "x",
    }  # fmt: skip


def test_the_time_the_priority_and_who_says_it() -> None:
    written = line({}, name="tornado.access", priority=True, time=True)
    assert written == (
        '<4>time=2026-11-18T11:06:40.250+00:00 level=warning msg="ring x" logger=tornado.access'
    )
    assert line({}, style="json", priority=True) == '<4>{"level": "warning", "msg": "ring x"}'
    assert "logger" not in line({}, name="pbxrules")
    assert "logger=pbxrulesque" in line({}, name="pbxrulesque")


def test_the_priorities_are_those_of_the_journal() -> None:
    """By sd-daemon(3)."""
    assert {logging.getLevelName(level).lower(): n for level, n in PRIORITIES.items()} == {
        "debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2,
    }  # fmt: skip
    assert set(LEVELS) < {logging.getLevelName(level).lower() for level in PRIORITIES}


def test_a_trace_stays_on_the_line() -> None:
    try:
        int(HOSTILE)
    except ValueError:
        record = logging.LogRecord("pbxrules", 40, __file__, 1, "broke", (), sys.exc_info())
    for style in ("logfmt", "json"):
        written = Formatter(style, priority=False, time=False).format(record)
        assert written.isprintable()
        assert "ValueError" in written


# --- A whole process ---------------------------------------------------------------------------

SAY = """
import logging, sys
from pbxrules import logs
logs.start(sys.argv[1], sys.argv[2])
for name in ("pbxrules.events", "tornado.general", "other"):
    for level in (10, 20, 30, 40):
        logging.getLogger(name).log(level, "%s %s", name, level, extra={"fields": {"a": "b c"}})
"""


def said(level: str, style: str, environment: Mapping[str, str] | None = None) -> list[str]:
    clean = {name: text for name, text in os.environ.items() if name != "JOURNAL_STREAM"}
    command = [sys.executable, "-c", SAY, level, style]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**clean, **(environment or {})}
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("level", "ours"),
    [
        pytest.param("debug", [10, 20, 30, 40], id="all"),
        pytest.param("info", [20, 30, 40], id="information"),
        pytest.param("warning", [30, 40], id="warnings"),
        pytest.param("error", [40], id="errors"),
    ],
)
def test_the_level_is_ours_and_others_warn(level: str, ours: list[int]) -> None:
    lines = [json.loads(one.partition(">")[2]) for one in said(level, "json")]
    told = [f"pbxrules.events {number}" for number in ours]
    assert [one["msg"] for one in lines] == [*told, "tornado.general 40", "other 30", "other 40"]
    assert all(one["a"] == "b c" for one in lines)


def test_under_systemd_a_line_has_its_priority_and_the_journal_has_the_time() -> None:
    (first, *_) = said("error", "logfmt", {"JOURNAL_STREAM": "8:1"})
    assert first == '<3>level=error msg="pbxrules.events 40" a="b c"'
    (first, *_) = said("error", "logfmt")
    assert re.fullmatch(r"<3>time=\S+ level=error msg=\"pbxrules.events 40\" a=\"b c\"", first)


def test_on_a_terminal_there_is_no_priority() -> None:
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-c", SAY, "error", "logfmt"]
        subprocess.run(command, stderr=theirs, check=True)
        shown: Any = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.startswith("time=")


def test_the_lines_of_one_turn_are_written_together_and_a_warning_at_once() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(Formatter("logfmt", priority=False, time=False))
    turns: list[Callable[[], None]] = []
    handler.gather(turns.append)

    def say(level: int, text: str) -> None:
        handler.handle(logging.LogRecord("pbxrules", level, "", 0, text, None, None))

    say(logging.INFO, "one")
    say(logging.INFO, "two")
    assert stream.getvalue() == ""
    assert len(turns) == 1
    turns[0]()
    assert stream.getvalue().splitlines() == ["level=info msg=one", "level=info msg=two"]
    say(logging.INFO, "three")
    say(logging.WARNING, "four")
    assert stream.getvalue().splitlines()[2:] == ["level=info msg=three", "level=warning msg=four"]
    say(logging.INFO, "five")
    handler.gather(None)
    assert stream.getvalue().splitlines()[-1] == "level=info msg=five"
    say(logging.INFO, "six")
    assert stream.getvalue().splitlines()[-1] == "level=info msg=six"
