"""What is doubtful about rules that are good: warnings, which change nothing.

Asked only once all files are without problems; what is wrong with half of the rules would
make the other half look unused or alike.
"""

from collections.abc import Iterator, Sequence

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.lint.absent import absent_warnings
from pbxrules.lint.actions import action_warnings, expiry_warnings
from pbxrules.lint.alike import alike_warnings
from pbxrules.lint.compared import compared_warnings
from pbxrules.lint.never import Places, never_warnings
from pbxrules.lint.texts import number_warnings, quote_warnings, text_warnings
from pbxrules.lint.unused import unused_warnings
from pbxrules.lint.written import Written, WrittenRule, written_rules, written_scripts
from pbxrules.rules import RuleSet
from pbxrules.yamlsource import Document


def warnings(
    documents: Sequence[Document], ruleset: RuleSet, language: Language
) -> tuple[Problem, ...]:
    """All that is doubtful about *documents*, from which *ruleset* was made, sorted."""
    rules = list(written_rules(documents, ruleset, language))
    return tuple(
        sorted(
            {
                *unused_warnings(documents),
                *number_warnings(documents),
                *alike_warnings(rules),
                *_of_each(rules, language),
                *_of_actions([*rules, *written_scripts(documents)], language),
            }
        )
    )


def _of_each(rules: Sequence[WrittenRule], language: Language) -> Iterator[Problem]:
    places = Places(language)
    for rule in rules:
        yield from never_warnings(rule, places)
        yield from expiry_warnings(rule, language)
        yield from absent_warnings(rule, language, places)
        yield from text_warnings(rule)
        yield from compared_warnings(rule)


def _of_actions(listed: Sequence[Written], language: Language) -> Iterator[Problem]:
    for written in listed:
        yield from action_warnings(written, language)
        yield from quote_warnings(written, language)
