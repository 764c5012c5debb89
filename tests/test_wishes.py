"""The example rules do what they are for: the cases beside them, on a virtual clock."""

from pathlib import Path

import pytest

from pbxrules import shipped
from tests.cases import Case, cases, run

FOLDER = shipped.folder("rules")
ALL = [*cases(FOLDER), *cases(FOLDER / "emergency-call")]
WISHES = (
    "emergency-siren", "room-lamps", "missed-calls", "call-log", "door-phone", "reception",
    "emergency-call", "phone-offline", "insistent-caller", "quiet-music", "door-alarm",
)  # fmt: skip
"""The files of the twelve wishes that the language makes easy; missed-calls has two of them."""


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_an_example_does_what_it_is_for(case: Case) -> None:
    assert run(case) == []


def test_each_wish_is_an_example_with_cases() -> None:
    assert {case.file.name.removesuffix(".test.yaml") for case in ALL} >= set(WISHES)


def test_a_case_can_fail(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rules: [{id: r, triggers: any, actions: [{log: hi}]}]\n")
    file = tmp_path / "a.test.yaml"
    file.write_text(
        "tests:\n- name: t\n  events: [{at: 0s, event: ring}]\n"
        "  expect: [{log: {text: bye}}]\n  expect_no: [{rule: r}]\n"
    )
    (case,) = cases(tmp_path)
    assert len(run(case)) == 2
