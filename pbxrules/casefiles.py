"""Test files from disk, each with the rules of its own folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pbxrules import loading, shipped
from pbxrules.errors import Location, Problem, ProblemsError, why_unreadable
from pbxrules.language import Language
from pbxrules.rules import RuleSet
from pbxrules.schema import Schema
from pbxrules.testing.around import Around
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.reading import cases_of
from pbxrules.testing.running import CaseFile, Folder
from pbxrules.yamlsource import read


def schema() -> Schema:
    """The schema of test files."""
    return Schema(shipped.schema("tests"))


def case_files(folder: Path) -> list[Path]:
    """The test files of a folder, sorted.

    Raises:
        ProblemsError: There is no such folder, or it can't be listed.
    """
    return [path for path in loading.files_of(folder) if loading.holds_tests(path)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Test files, as they were read."""

    files: tuple[CaseFile, ...]
    problems: tuple[Problem, ...]
    """Everything that is wrong with them, sorted."""


def read_files(files: Iterable[Path], language: Language, ruleset: RuleSet | None) -> Read:
    """The cases of *files*, which are about the rules of *ruleset* (None: nobody knows)."""
    around = Around(schema=schema(), language=language, ruleset=ruleset)
    found: list[CaseFile] = []
    problems: list[Problem] = []
    for path in files:
        try:
            text = loading.text_of(path)
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(Problem(Location(str(path)), "unreadable", why_unreadable(exc)))
            continue
        cases, wrong = cases_of(read(text, file=str(path)), around)
        problems += wrong
        found.append(CaseFile(name=str(path), cases=tuple(cases)))
    return Read(files=tuple(found), problems=tuple(sorted(set(problems))))


def load(folder: Path, files: Iterable[Path], language: Language) -> Folder:
    """The cases of *files*, which stand in *folder*, with the rules there.

    Raises:
        ProblemsError: With everything that is wrong with the rules and the tests.
    """
    problems: list[Problem] = []
    ruleset: RuleSet | None = None
    try:
        ruleset = loading.load(loading.rule_files(folder), language).ruleset
    except ProblemsError as exc:
        problems += exc.problems
    tests = read_files(files, language, ruleset)
    problems += tests.problems
    if ruleset is None or problems:
        raise ProblemsError(problems)
    return Folder(files=tests.files, coverage=Coverage(ruleset), language=language)


def check(files: Iterable[Path], language: Language) -> tuple[int, list[Problem]]:
    """How many tests are in *files*, and all that is wrong with them and the rules beside."""
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        by_folder.setdefault(path.parent, []).append(path)
    count = 0
    problems: list[Problem] = []
    for folder, own in by_folder.items():
        try:
            found = load(folder, own, language)
        except ProblemsError as exc:
            problems += exc.problems
            continue
        count += sum(len({case.test for case in file.cases}) for file in found.files)
    return count, problems
