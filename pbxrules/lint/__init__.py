"""What is doubtful about rules that are good: warnings, which change nothing.

Asked only once all files are without problems; what is wrong with half of the rules would
make the other half look unused or alike.
"""

from collections.abc import Iterator, Sequence

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.lint.absent import absent_warnings
from pbxrules.lint.actions import action_warnings
from pbxrules.lint.alike import alike_warnings
from pbxrules.lint.compared import compared_warnings
from pbxrules.lint.never import Places, never_warnings
from pbxrules.lint.texts import number_warnings, text_warnings
from pbxrules.lint.unused import unused_warnings
from pbxrules.lint.written import WrittenRule, written_rules
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
            }
        )
    )


def _of_each(rules: Sequence[WrittenRule], language: Language) -> Iterator[Problem]:
    places = Places(language)
    for rule in rules:
        yield from never_warnings(rule, places)
        yield from action_warnings(rule, language)
        yield from absent_warnings(rule, language, places)
        yield from text_warnings(rule, language)
        yield from compared_warnings(rule)
