"""Every problem's code stands in the table, and everything in the table is a code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pbxrules
from pbxrules.codes import CODES, SECTIONS, WARNINGS

PACKAGE = Path(pbxrules.__file__).parent
TESTS = Path(__file__).parent
MODULES = {
    path: ast.parse(path.read_text("utf-8"))
    for path in PACKAGE.rglob("*.py")
    if path.name != "codes.py"
}
HYPHENATED = re.compile(r"[a-z]+(-[a-z]+)+")
NO_CODES = re.compile(
    r"x-.*|sip-berlin|content-length|idempotency-key|transfer-encoding|systemd-run|system-out|pbxrules-.*"
    r"|calls-per-hour|new-rule|a-third"
)
"""Hyphenated words in the code that are something else."""

CODE_AT = {
    "Problem": 1, "Fault": 1, "Note": 1, "FieldTestError": 1, "TemplateProblem": 2,
    "warning": 1, "key_warning": 1,
}  # fmt: skip
"""What takes a code, and at which place."""


def constants() -> Iterator[str]:
    for tree in MODULES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def made() -> Iterator[re.Pattern[str]]:
    """What codes look like that are put together: ``duplicate-{kind}``."""
    for tree in MODULES.values():
        for node in ast.walk(tree):
            match node:
                case ast.JoinedStr(values=[ast.Constant(value=str() as head), _]) if (
                    re.fullmatch("[a-z]+-", head) and head != "pbxrules-"
                ):
                    yield re.compile(f"{head}[a-z]+")


def given() -> Iterator[str]:
    """The codes that are given by themselves where a problem is made."""
    for tree in MODULES.values():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            place = CODE_AT.get(name)
            told = [each.value for each in node.keywords if each.arg == "code"]
            told += node.args[place : place + 1] if place is not None else []
            yield from (
                code.value
                for code in told
                if isinstance(code, ast.Constant) and isinstance(code.value, str)
            )


def test_every_code_that_is_raised_stands_in_the_table() -> None:
    hyphenated = {text for text in constants() if HYPHENATED.fullmatch(text)}
    assert {text for text in hyphenated if not NO_CODES.fullmatch(text)} <= CODES.keys()
    assert {*given()} <= CODES.keys()
    assert len({*given()}) > 30


def test_every_code_of_the_table_is_raised() -> None:
    words = {*constants()}
    patterns = list(made())
    assert [
        code
        for code in CODES
        if code not in words and not any(pattern.fullmatch(code) for pattern in patterns)
    ] == []


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_an_example(code: str) -> None:
    files = [*TESTS.glob("data/rules/*/*.txt"), *TESTS.glob("test_*.py")]
    shown = re.compile(rf"(: |[\"'\[]){code}(: |[\"',])")
    assert any(
        shown.search(path.read_text("utf-8")) for path in files if path.name != "test_codes.py"
    )


def test_the_table_is_written_for_people() -> None:
    assert sum(map(len, SECTIONS.values())) == len(CODES), "a code stands in two sections"
    for section in SECTIONS.values():
        assert [*section] == sorted(section)
    for code, what in CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        for sentence in (what.means, what.do):
            assert sentence[0].isupper() or sentence[0] in "`{", code
            assert sentence.endswith((".", "?")), code


def test_warnings_are_a_section() -> None:
    assert {*SECTIONS["Warnings"]} == WARNINGS
