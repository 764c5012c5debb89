"""Mistakes as people make them, each a file of its own, and exactly what ``check`` prints of it.

Those in tests of rules are in the folder ``tests``, beside the rules that they are about.

What is doubtful but no mistake is in the folder ``lint``.  After a change of words, in either
folder, with ``PBXRULES_MQTT_URL=mqtt://127.0.0.1``:
``for f in *.yaml; do pbxrules check $f > ${f%.yaml}.txt; done``, and read all of the diff.
"""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pbxrules import config
from pbxrules.cli import main
from pbxrules.codes import CODES, WARNINGS

DATA = Path(__file__).parent / "data" / "rules"
BAD = sorted((DATA / "bad").glob("*.yaml"))
DOUBTFUL = sorted((DATA / "lint").glob("*.yaml"))
IN_TESTS = sorted((DATA / "tests").glob("*.test.yaml"))
LINE = re.compile(r"([\w.-]+\.yaml):(\d+):(\d+): (warning: )?([a-z-]+): (.+)")


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PBXRULES_MQTT_URL", "mqtt://127.0.0.1")


def check(path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.chdir(path.parent)
    return CliRunner().invoke(main, ["check", *options, path.name])


def expected(path: Path) -> str:
    return path.with_suffix(".txt").read_text("utf-8")


def stem(path: Path) -> str:
    return path.stem


def test_there_are_many_and_each_has_its_words() -> None:
    assert len(BAD) >= 60
    assert len(DOUBTFUL) >= 15
    assert len(IN_TESTS) >= 15
    for folder in (DATA / "bad", DATA / "lint", DATA / "tests"):
        yaml = {path.stem for path in folder.glob("*.yaml") if path.name != "rules.yaml"}
        assert yaml == {path.stem for path in folder.glob("*.txt")}


@pytest.mark.parametrize("path", BAD + IN_TESTS, ids=stem)
def test_of_a_mistake_check_prints(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(path, monkeypatch)
    assert result.stdout == expected(path)
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.parametrize("path", DOUBTFUL, ids=stem)
def test_of_what_is_doubtful_check_prints(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(path, monkeypatch)
    assert result.stdout == expected(path)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("path", BAD + DOUBTFUL + IN_TESTS, ids=stem)
def test_every_format_tells_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [found for line in expected(path).splitlines() if (found := LINE.fullmatch(line))]
    told = json.loads(check(path, monkeypatch, "--format", "json").stdout)
    assert [f"{one['file']}:{one['line']}:{one['column']}" for one in told] == [
        f"{found[1]}:{found[2]}:{found[3]}" for found in lines
    ]
    assert [one["code"] for one in told] == [found[5] for found in lines]
    assert [one["severity"] == "warning" for one in told] == [bool(found[4]) for found in lines]
    commands = check(path, monkeypatch, "--format", "github").stdout.splitlines()
    assert len([line for line in commands if line.startswith("::")]) == len(lines)


@pytest.mark.parametrize("path", BAD + DOUBTFUL + IN_TESTS, ids=stem)
def test_every_line_has_a_place_in_the_file_and_a_known_code(path: Path) -> None:
    text = path.read_text("utf-8").splitlines()
    for line in expected(path).splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            assert path in DOUBTFUL, line
            assert re.fullmatch(r"\d+ rules? in 1 file (is|are) good(, \d+ disabled)?, .*", line)
            continue
        assert found[1] == path.name
        assert int(found[3]) <= len(text[int(found[2]) - 1]) + 1
        assert found[5] in CODES
        assert (found[5] in WARNINGS) is bool(found[4])
