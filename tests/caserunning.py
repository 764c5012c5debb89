"""Tests of rules, written as a person writes them, and run."""

from collections.abc import Sequence

from pbxrules import casefiles, loading, rules
from pbxrules.language import Language
from pbxrules.testing.around import Around
from pbxrules.testing.cases import Case
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.reading import cases_of
from pbxrules.testing.running import CaseFile, Folder, Result, results
from pbxrules.testing.timeline import lines
from pbxrules.yamlsource import read

LANGUAGE = loading.language(secrets=["duty"], timezone="Europe/Berlin")
SCHEMA = casefiles.schema()


def folder(rule_text: str, test_text: str, language: Language = LANGUAGE) -> Folder:
    """A folder with these two files; the tests are good."""
    ruleset = rules.load([read(rule_text, file="a.yaml")], language)
    around = Around(schema=SCHEMA, language=language, ruleset=ruleset)
    cases, problems = cases_of(read(test_text, file="a.test.yaml"), around)
    assert problems == []
    file = CaseFile(name="a.test.yaml", cases=tuple(cases))
    return Folder(files=(file,), coverage=Coverage(ruleset), language=language)


def ran(rule_text: str, test_text: str) -> list[Result]:
    """What came of all cases."""
    return list(results(folder(rule_text, test_text)))


def outcome(rule_text: str, body: str) -> Result:
    """What came of one case, of which *body* has everything but the name."""
    (result,) = ran(rule_text, f"tests:\n- name: t\n{indented(body)}")
    return result


def came(rule_text: str, body: str) -> list[str]:
    """What was not as expected, in words; nothing where all was."""
    return [failure.says for failure in outcome(rule_text, body).failures]


def timeline(result: Result) -> list[str]:
    """What happened, as one reads it."""
    told = lines(result.happened)
    return [f"{line.at_s:g} {line.rule} {line.text}".replace("  ", " ") for line in told]


def told(test_text: str, rule_text: str = "", *, known: bool = True) -> list[str]:
    """Everything that is wrong with a test file; *known*: its rules can be read."""
    ruleset = rules.load([read(rule_text, file="a.yaml")], LANGUAGE) if known else None
    around = Around(schema=SCHEMA, language=LANGUAGE, ruleset=ruleset)
    _, problems = cases_of(read(test_text, file="t"), around)
    return [str(problem) for problem in problems]


def case(rule_text: str, body: str) -> Case:
    """One case, as it was read."""
    (file,) = folder(rule_text, f"tests:\n- name: t\n{indented(body)}").files
    (only,) = file.cases
    return only


def indented(body: str) -> str:
    """*body* as the keys of an entry of a list."""
    return "".join(f"  {line}\n" for line in body.strip("\n").splitlines())


def names(found: Sequence[Result]) -> list[str]:
    """The names of the cases that failed."""
    return [result.case.name for result in found if not result.passed]
