"""``pbxrules test``, as a person or a script uses it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from pbxrules import config
from pbxrules.cli import main

RULES = """\
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  actions: [{log: "{{ caller }} rings"}]
- id: door
  triggers: {event: ring, caller: 200}
  actions:
  - if: "{{ extension == '101' }}"
    then: [{log: it is 101}]
"""
GOOD = """\
tests:
- name: it rings
  events: [{event: ring, extension: 101, caller: 5}]
  expect: [{rule: lamp}]
"""
BAD = """\
tests:
- name: it does not
  cases: {caller: [5, "\\x1b[31m]]>&'\\" \\u202e"]}
  events: [{event: ring, extension: 102, caller: "{{ caller }}"}]
  expect: [{rule: lamp}]
- name: the door rings
  events: [{event: ring, caller: 200}]
  expect: [{rule: door}]
"""


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``rules`` with rules and good tests, below the current one."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(RULES)
    (rules / "a.test.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return rules


def pbxrules(*args: object) -> Result:
    return CliRunner().invoke(main, ["test", *map(str, args)])


def untimed(text: str) -> str:
    return re.sub(r"\(\d+\.\d\d s\)", "(0.00 s)", text)


def test_all_good_is_a_line_for_each_file_and_case_and_0(folder: Path) -> None:
    result = pbxrules()
    assert (result.exit_code, result.stderr) == (0, "")
    assert untimed(result.stdout) == (
        "rules/a.test.yaml\n"
        "  ok    it rings\n"
        "rules/a.yaml:5:7: 'door' never fired\n"
        "coverage 25 %: 1 of 2 rules fired, 0 of 2 branches taken\n"
        "1 case in 1 file: all passed (0.00 s)\n"
    )
    assert pbxrules(folder).exit_code == pbxrules(folder / "a.test.yaml").exit_code == 0
    assert pbxrules("--rules", folder).stdout.startswith(str(folder))


def test_a_failure_is_told_and_ends_with_1(folder: Path) -> None:
    (folder / "b.test.yaml").write_text(BAD)
    result = pbxrules("rules")
    assert (result.exit_code, result.stderr) == (1, "")
    assert untimed(result.stdout).splitlines()[2:9] == [
        "rules/b.test.yaml",
        "  FAIL  it does not (caller 5)",
        "        rules/b.test.yaml:5:12: expected rule lamp starts",
        "          because: ring at 0s: extension is 102, wanted 101",
        "        what happened:",
        "          0s  ring extension=102 caller=5",
        "  FAIL  it does not (caller \\x1b[31m]]>&'\" \\u202e)",
    ]
    assert "'door', actions/0: its 'if' never held" in result.stdout
    assert untimed(result.stdout).endswith("4 cases in 2 files: 2 failed (0.00 s)\n")


def test_no_character_of_a_test_moves_the_cursor(folder: Path) -> None:
    (folder / "b.test.yaml").write_text(BAD)
    assert all(line.isprintable() for line in pbxrules("rules").stdout.splitlines())


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        pytest.param("DOOR", ["the door rings"], id="a part of a name, however it is written"),
        pytest.param("it*", ["it rings", "it does not (caller 5)"], id="a pattern"),
        pytest.param("(caller 5", ["it does not (caller 5)"], id="what was given"),
    ],
)
def test_run_chooses_cases(folder: Path, name: str, cases: list[str]) -> None:
    (folder / "b.test.yaml").write_text(BAD.replace(', "\\x1b', ', z, "\\x1b'))
    lines = pbxrules("rules", "--run", name).stdout.splitlines()
    found = [line[8:] for line in lines if line.startswith(("  ok", "  FAIL"))]
    assert [name for name in found if not name.endswith((" z)", "e)"))] == cases
    assert not [line for line in lines if line.startswith("coverage")]


def test_exitfirst_stops_at_the_first_that_fails(folder: Path) -> None:
    (folder / "0.test.yaml").write_text(BAD)
    for option in ("-x", "--exitfirst"):
        result = pbxrules(option)
        assert result.exit_code == 1
        assert untimed(result.stdout).endswith("\n1 case in 1 file: 1 failed (0.00 s)\n")


@pytest.mark.parametrize(("least", "code"), [("25", 0), ("25.1", 1), ("100", 1), ("0", 0)])
def test_too_little_coverage_ends_with_1(folder: Path, least: str, code: int) -> None:
    result = pbxrules(folder, "--min-coverage", least)
    assert result.exit_code == code
    assert result.stderr == (f"pbxrules: coverage is 25.0 %, wanted {least} %\n" if code else "")
    assert pbxrules(folder, "--min-coverage", least, "--run", "rings").exit_code == code


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["none"], "none: unreadable: there is no such folder", id="no folder"),
        pytest.param(["rules/a.yaml"], "rules/a.yaml holds rules, no tests", id="a rule file"),
        pytest.param(["none.test.yaml"], "none.test.yaml:1:1: unreadable: No such", id="no file"),
        pytest.param(["--run", "zzz"], "no case has 'zzz' in its name", id="no case of that name"),
        pytest.param(["--watch", "--json"], "take one of them", id="not both options"),
        pytest.param(["--min-coverage", "101"], "101.0 is not in the range", id="no percentage"),
        pytest.param(["--junit", "none/x.xml"], "can't write none/x.xml: No such", id="no place"),
        pytest.param(["."], "no tests in .: they stand beside the rules", id="no tests"),
        pytest.param(["--config", "none.yaml"], "none.yaml:1:1: unreadable", id="no configuration"),
    ],
)  # fmt: skip
def test_what_can_not_be_run_is_told_and_ends_with_2(
    folder: Path, args: list[str], said: str
) -> None:
    result = pbxrules(*args)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert folder.exists()


def test_mistakes_of_rules_and_tests_are_told_at_once_and_end_with_2(folder: Path) -> None:
    (folder / "b.yaml").write_text(
        "rules: [{id: lamp, triggers: {event: rang}, actions: [{log: a}]}]"
    )
    (folder / "b.test.yaml").write_text("tests: [{nam: x}]")
    result = pbxrules("rules")
    assert (result.exit_code, result.stdout) == (2, "")
    codes = [line.split(": ")[1] for line in result.stderr.splitlines()]
    assert codes == ["missing-key", "unknown-key", "duplicate-id", "unknown-event"]


def test_json_is_one_object(folder: Path) -> None:
    (folder / "b.test.yaml").write_text(BAD)
    result = pbxrules("rules", "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    told: dict[str, Any] = json.loads(result.stdout)
    assert told.pop("seconds") >= 0
    assert (told["cases"], told["failed"]) == (4, 2)
    assert [file["file"] for file in told["files"]] == ["rules/a.test.yaml", "rules/b.test.yaml"]
    first, _, last = told["files"][1]["cases"]
    assert first == {
        "name": "it does not (caller 5)", "test": "it does not", "given": {"caller": "5"},
        "line": 2, "column": 9, "passed": False,
        "failures": [{
            "message": "expected rule lamp starts", "line": 5, "column": 12, "came": [],
            "because": ["ring at 0s: extension is 102, wanted 101"],
        }],
        "notes": [],
        "timeline": [
            {"at_s": 0.0, "kind": "event", "rule": "", "text": "ring extension=102 caller=5"}
        ],
    }  # fmt: skip
    assert (last["passed"], last["failures"], last["timeline"]) == (True, [], [])
    assert told["coverage"] == {
        "percent": 75.0, "rules": 2, "branches": 2, "never_fired": [],
        "never_taken": [{
            "rule": "door", "file": "rules/a.yaml", "line": 5, "column": 7,
            "position": "actions/0", "why": "its 'if' never held",
        }],
    }  # fmt: skip


def test_junit_is_xml_that_any_reader_takes_whatever_a_test_says(folder: Path) -> None:
    (folder / "b.test.yaml").write_text(BAD)
    assert pbxrules("rules", "--junit", "report.xml").exit_code == 1
    root = ET.parse("report.xml").getroot()  # noqa: S314 - we wrote it
    assert root.attrib | {"time": ""} == {
        "name": "pbxrules", "tests": "4", "failures": "2", "time": "",
    }  # fmt: skip
    assert [suite.attrib for suite in root] == [
        {"name": "rules/a.test.yaml", "tests": "1", "failures": "0"},
        {"name": "rules/b.test.yaml", "tests": "3", "failures": "2"},
    ]
    good, first, hostile, _ = root.iter("testcase")
    assert (good.get("name"), good.get("classname"), len(good)) == (
        "it rings",
        "rules/a.test.yaml",
        0,
    )
    failure = first.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected rule lamp starts"
    assert failure.text is not None
    assert "because: ring at 0s: extension is 102, wanted 101" in failure.text
    assert "0s ring extension=102 caller=5" in str(first.findtext("system-out"))
    assert hostile.get("name") == "it does not (caller \\x1b[31m]]>&'\" \\u202e)"


def test_colours_are_for_terminals_and_can_be_unwanted(folder: Path) -> None:
    code = "from pbxrules.cli import main; main(['test', 'rules'])"
    shown = {}
    for name, value in (("plain", "TERM"), ("colour", "FORCE_COLOR"), ("none", "NO_COLOR")):
        told = {"FORCE_COLOR": "1"} if name != "plain" else {}
        env = {**os.environ, **told, **({"NO_COLOR": "1"} if value == "NO_COLOR" else {})}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        shown[name] = done.stdout
    assert "\x1b[32mok" in shown["colour"]
    assert "\x1b[" not in shown["plain"]
    assert "\x1b[3" not in shown["none"]
    assert folder.exists()


def test_watch_runs_again_with_each_change_until_ctrl_c(folder: Path) -> None:
    code = "from pbxrules.cli import main; main(['test', 'rules', '--watch'])"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            assert _sum(child.stdout) == "1 case in 1 file: all passed"
            (folder / "b.test.yaml").write_text(BAD)
            assert _sum(child.stdout) == "4 cases in 2 files: 2 failed"
            (folder / "b.test.yaml").unlink()
            assert _sum(child.stdout) == "1 case in 1 file: all passed"
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(timeout=10)
    assert child.returncode == 0


def _sum(lines: Iterable[str]) -> str:
    """The next line that counts cases."""
    return next(line for line in lines if " file" in line and "case" in line).split(" (")[0].strip()


def test_the_configuration_is_honoured_and_no_secret_is_read(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "rules: [{id: r, triggers: any, actions: [{log: '{{ vars.site }} {{ now.hour }}'},"
        " {http: {url: 'http://h/{{ secret.token }}'}}]}]\n"
    )
    (folder / "a.test.yaml").write_text(
        "tests: [{name: t, start: '2026-07-01T12:00Z', events: [{event: ring}],"
        " expect: [{log: hq 14}, {http: {url: x}}]}]\n"
    )
    Path("c.yaml").write_text(
        "{timezone: Europe/Berlin, variables: {site: hq}, secrets: {token: {file: none}}}\n"
    )
    result = pbxrules("--config", "c.yaml")
    assert result.exit_code == 1
    assert result.stdout.count("FAIL") == 1
    assert "url is http://h/secret.token, wanted x" in result.stdout
