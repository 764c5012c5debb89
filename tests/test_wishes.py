"""The example rules do what they are for: their own tests, run as ``pbxrules test`` does."""

import pytest

from pbxrules import casefiles, loading, shipped
from pbxrules.testing.coverage import percent
from pbxrules.testing.running import Result, results

FOLDER = shipped.folder("rules")
FOLDERS = (FOLDER, FOLDER / "emergency-call")
LANGUAGE = loading.language(secrets=["duty"], timezone="Europe/Berlin")
WISHES = (
    "emergency-siren", "room-lamps", "missed-calls", "call-log", "door-phone", "reception",
    "emergency-call", "phone-offline", "insistent-caller", "quiet-music", "door-alarm",
)  # fmt: skip
"""The files of the twelve wishes that the language makes easy; missed-calls has two of them."""
RESULTS = [
    result
    for folder in FOLDERS
    for result in results(casefiles.load(folder, casefiles.case_files(folder), LANGUAGE))
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result.case.name)
def test_an_example_does_what_it_is_for(result: Result) -> None:
    assert result.failures == ()


def test_each_wish_is_an_example_with_cases() -> None:
    files = {folder / f"{wish}.test.yaml" for folder in FOLDERS for wish in WISHES}
    assert len([file for file in files if file.exists()]) == len(WISHES)


def test_every_example_has_a_test() -> None:
    rules = [path for folder in FOLDERS for path in loading.rule_files(folder)]
    assert [path.name for path in rules if not path.with_suffix(".test.yaml").exists()] == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "Pacific/Auckland"])
def test_the_tests_of_the_examples_reach_every_rule_and_branch_in_any_zone(zone: str) -> None:
    language = loading.language(secrets=["duty"], timezone=zone)
    coverages = {}
    for folder in FOLDERS:
        loaded = casefiles.load(folder, casefiles.case_files(folder), language)
        assert [result.case.name for result in results(loaded) if not result.passed] == []
        coverages[str(folder)] = loaded.coverage
        assert [rule.id for rule in loaded.coverage.never_fired] == []
        assert [(one.rule, one.lacking) for one in loaded.coverage.never_taken] == []
    assert percent(coverages) == 100.0
