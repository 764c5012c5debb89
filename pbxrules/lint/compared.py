"""Templates that compare a field's text with a number, which is never the same.

In a field test a number stands for its digits, so ``{{ extension == 101 }}`` looks right.
"""

import re
from collections.abc import Iterator

from pbxrules.errors import Problem
from pbxrules.lint.texts import texts
from pbxrules.lint.written import WrittenRule
from pbxrules.pbx.tables import FIELDS
from pbxrules.schema import Path

_NO_TEXTS = ("extensions", "duration", "talk_duration")
_FIELD = rf"\b(?P<field>{'|'.join(name for name in FIELDS if name not in _NO_TEXTS)})"
_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]+)?)\b(?!\s*\|)"
_SIGN = r"\s*(?P<sign>[=!]=|[<>]=?)\s*"
_FIELD_FIRST = re.compile(rf"(?<![.'\"]){_FIELD}(?:{_SIGN}|\s+(?:not\s+)?in\s+\[\s*){_NUMBER}")
_NUMBER_FIRST = re.compile(rf"(?<![\w.'\"]){_NUMBER}{_SIGN}{_FIELD}\b(?!\s*[|.\[(])")
_COMPARED = (_FIELD_FIRST, _NUMBER_FIRST)
_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def compared_warnings(rule: WrittenRule) -> Iterator[Problem]:
    """Where templates of *rule* take a field for a number."""
    for part in ("conditions", "actions"):
        for path, text in texts(rule.value.get(part), (*rule.path, part)):
            for found in _found(text) if "{{" in text else ():
                yield _warning(rule, path, found)


def _found(text: str) -> Iterator[re.Match[str]]:
    for braces in _BRACES.finditer(text):
        for pattern in _COMPARED:
            yield from pattern.finditer(text, *braces.span())


def _warning(rule: WrittenRule, path: Path, found: re.Match[str]) -> Problem:
    field, number = found["field"], found["number"]
    message = f"'{field}' is text, and never the number {number}"
    hint = f"write '{number}' in quotes"
    if (found["sign"] or "=")[0] in "<>":
        message = f"'{field}' is text, and can't be compared with the number {number}"
        hint = f"write {field} | int(0)"
    return rule.warning(path, "text-and-number", message, hint, offset=found.start())
