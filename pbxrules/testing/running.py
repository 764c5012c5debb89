"""The cases of files run, one after another, and what came of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase as fits

from pbxrules.language import Language
from pbxrules.testing.cases import Case
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.filling import placeholders
from pbxrules.testing.judging import Failure, judge, notes
from pbxrules.testing.trial import Moved, run


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """The cases of one file."""

    name: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The test files of one folder, and the rules that they are about."""

    files: tuple[CaseFile, ...]
    coverage: Coverage
    """Of the rules; what comes into play is noted there."""
    language: Language

    def only(self, name: str) -> "Folder":
        """The cases with *name* in theirs, or that a pattern with ``*`` or ``?`` fits."""
        wanted = name.lower() if {"*", "?"} & {*name} else f"*{_escaped(name.lower())}*"
        files = (
            replace(file, cases=tuple(c for c in file.cases if fits(c.name.lower(), wanted)))
            for file in self.files
        )
        return replace(self, files=tuple(file for file in files if file.cases)) if name else self


def _escaped(name: str) -> str:
    """*name* as a pattern that stands for nothing but itself."""
    return name.replace("[", "[[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one case."""

    file: str
    case: Case
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    """What is worth a look, where something failed."""
    happened: tuple[Moved, ...]
    """Empty where nothing failed: nobody looks at it."""

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.failures


def results(folder: Folder) -> Iterator[Result]:
    """Run the cases of a folder; each is run as it is asked for."""
    language, coverage = folder.language, folder.coverage
    secrets: Mapping[str, str] = placeholders(language.secrets)
    for file in folder.files:
        for case in file.cases:
            trial = run(case, coverage, verbs=language.verbs, secrets=secrets)
            failures = tuple(judge(case, trial, coverage.ruleset))
            yield Result(
                file=file.name,
                case=case,
                failures=failures,
                notes=tuple(notes(case, coverage.ruleset)) if failures else (),
                happened=tuple(trial.happened) if failures else (),
            )
