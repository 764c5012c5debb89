"""New files of a rules' folder: a rule and its test, looked through before and after."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pbxrules import casefiles, loading, newrule, rules
from pbxrules.errors import Problem, ProblemsError
from pbxrules.language import Language
from pbxrules.newrule import Wish
from pbxrules.testing.running import results
from pbxrules.yamlsource import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Two files that are to be written."""

    rule_file: Path
    rule: str
    test_file: Path
    test: str


class Folder:
    """A rules' folder that may get a new rule; it need not be there yet."""

    def __init__(self, path: Path, language: Language) -> None:
        """Take the folder as it is.

        Raises:
            ProblemsError: With everything that is wrong with the rules that are there.
        """
        self.path = path
        self.language = language
        self._files = loading.rule_files(path) if path.exists() else []
        ruleset = loading.load(self._files, language).ruleset
        self.taken = [*ruleset.by_id, *(file.stem.removesuffix(".test") for file in self._all())]
        """Names that a new rule can't have, as far as is known without reading twice."""

    def _all(self) -> list[Path]:
        return loading.files_of(self.path) if self.path.exists() else []

    def faults(self, wish: Wish) -> list[str]:
        """What is wrong, or doubtful, with the rule that is wished for."""
        return newrule.faults(wish, self.language)

    def faults_of_id(self, wish: Wish) -> list[str]:
        """Why a good rule can't have its name: another rule has it, or its files are there."""
        found = [
            f"{file} is there already" for file in self._files_of(wish.id) if os.path.lexists(file)
        ]
        texts = [(loading.text_of(file), str(file)) for file in self._files]
        texts.append((newrule.text_of_rule(wish), "the new rule"))
        try:
            rules.load([read(text, file=name) for text, name in texts], self.language)
        except ProblemsError as exc:
            found += [problem.advice for problem in exc.problems]
        return found

    def _files_of(self, rule: str) -> tuple[Path, Path]:
        return self.path / f"{rule}.yaml", self.path / f"{rule}.test.yaml"

    def draft(self, wish: Wish) -> Draft:
        """The files of a wish without faults."""
        rule_file, test_file = self._files_of(wish.id)
        return Draft(
            rule_file=rule_file,
            rule=newrule.text_of_rule(wish),
            test_file=test_file,
            test=newrule.text_of_test(wish, self.language, casefiles.schema()),
        )

    def write(self, draft: Draft) -> Sequence[Problem]:
        """Write both files, and look them through as they stand on disk; what is doubtful.

        Raises:
            OSError: One can't be written, or is there already.
            ProblemsError: They are not good, or the test fails.  As with any error, nothing of
                them is left.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        try:
            for file, text in ((draft.rule_file, draft.rule), (draft.test_file, draft.test)):
                with file.open("x", encoding="utf-8") as opened:
                    written.append(file)
                    opened.write(text)
            return self._checked(draft)
        except BaseException:
            for file in written:
                file.unlink(missing_ok=True)
            raise

    def _checked(self, draft: Draft) -> Sequence[Problem]:
        tests = casefiles.load(self.path, [draft.test_file], self.language)
        failed = [
            Problem(result.case.where, "test-fails", failure.says)
            for result in results(tests)
            for failure in result.failures
        ]
        if failed:
            raise ProblemsError(failed)
        snapshot = loading.load(loading.rule_files(self.path), self.language)
        return [one for one in snapshot.warnings if one.where.file == str(draft.rule_file)]
