"""Texts that are not what they look like: templates where none are read, quotes that are kept."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.lint.written import Written, WrittenRule, WrittenTrigger
from pbxrules.schema import Path
from pbxrules.yamlsource import Document

_TEMPLATE = re.compile(r"\{\{-?\s*[A-Za-z_]")
_OPENING = "\u201c\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a"
_CURLY = re.compile(f"[{_OPENING}\u201d].*[{_OPENING}\u201d]", re.DOTALL)
_BRACES = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")
_END = re.compile(r"([a-z_]+) *\}\}")
_NUMBERS = frozenset({"caller", "callee", "dialled", "extension", "extensions"})
_PARTED = re.compile(r"(?=.*[ ()/.-])\+?[ (]*[0-9](?:[ ()/.-]*[0-9]){4,}")
_GLOB = 'write {{glob: "{}"}}'
_OPERATORS = (
    (re.compile(r"(?:!=|<>|not\s|!)\s*(\S.*)"), "write {{not: {}}}"),
    (re.compile(r">=?\s*(\d.*)"), "write {{above: …}}"),
    (re.compile(r"<=?\s*(\d.*)"), "write {{below: …}}"),
    (re.compile(r"in\s+(\S.*)"), "write {{in: {}}}"),
    (re.compile(r"/(\S.*)/i?"), "write {{regex: '{}'}}"),
    (re.compile(r"(\+?\d+\*)"), _GLOB),
)
"""What looks like an operator, and how that is written."""
_QUOTE = re.compile(f"[{_OPENING}\u201d]")


def number_warnings(documents: Sequence[Document]) -> Iterator[Problem]:
    """Members of groups that are written in parts, as no report has them."""
    for document in documents:
        for path, text in texts((document.value or {}).get("groups"), ("groups",)):
            if _PARTED.fullmatch(text):
                yield Problem(document.place(path), *_parted(text), "warning")


def text_warnings(rule: WrittenRule) -> Iterator[Problem]:
    """What is doubtful about the field tests and the variables of *rule*."""
    for written in rule.triggers:
        yield from _tests(rule, written)
    yield from _split(rule)
    if "variables" in rule.value:
        yield from _variables(rule)


def quote_warnings(written: Written, language: Language) -> Iterator[Problem]:
    """Quotes and braces that are kept as they stand."""
    whole = "".join(_all_texts(written.value))  # of 10,000 rules few need a closer look
    if _QUOTE.search(whole):
        yield from _curly(written)
    if _BRACES.search(whole) or whole.count("{{") < whole.count("}}"):
        yield from _braces(written, language)


def _all_texts(value: Any) -> list[str]:
    found: list[str] = []
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            found.append(inner)
        elif isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
    return found


def texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in *value*, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, (*path, key))


def _curly(written: Written) -> Iterator[Problem]:
    for path, text in texts(written.value, written.path):
        if _CURLY.fullmatch(text):
            message = f"the quotes {text[0]} and {text[-1]} are part of this text"
            yield written.warning(path, "curly-quotes", message, f'write "{text[1:-1]}"')


def _variables(rule: WrittenRule) -> Iterator[Problem]:
    for path, text in texts(rule.value.get("variables"), (*rule.path, "variables")):
        if _TEMPLATE.search(text):
            message = "variables hold no templates: this is plain text"
            hint = "write it where the variable is used"
            yield rule.warning(path, "template-as-text", message, hint)


def _braces(written: Written, language: Language) -> Iterator[Problem]:
    for path, text in (found for at, listed in written.lists for found in texts(listed, at)):
        found = list(_BRACES.finditer(text))
        if "{{" not in text:
            found += _END.finditer(text)
        for one in found:
            if one[1] in language.fields:
                hint = f'write "{{{{ {one[1]} }}}}"'
                message = f"'{one[0]}' is plain text"
                yield written.warning(path, "single-braces", message, hint, offset=one.start())


def _tests(rule: WrittenRule, written: WrittenTrigger) -> Iterator[Problem]:
    for test in written.trigger.tests:
        at = (*written.path, test.field)
        for path, text in texts(written.value[test.field], at):
            inner = [step for step in path[len(at) :] if isinstance(step, str)]
            doubt = None
            if inner[-1:] == ["regex"]:
                doubt = _SLASHES if re.fullmatch("/.*/i?", text) else None
            elif path[-1] != "in" and {*inner} <= {"in", "not"}:  # 'in: NAME' is a group
                doubt = _doubt(test.field, text, rule)
            if doubt:
                yield rule.warning(path, *doubt)


_Doubt = tuple[str, str, str]
"""Code, message and hint."""
_SLASHES = ("operator-as-text", "the slashes are part of this pattern", "leave them out")


def _doubt(field: str, text: str, rule: WrittenRule) -> _Doubt | None:
    """Why a field is hardly to be compared with *text*."""
    if _TEMPLATE.search(text):
        message = "a field test takes no templates: this is plain text"
        return "template-as-text", message, "compare in a condition"
    if text in rule.groups:
        return "group-as-text", f"'{text}' is a text here, and no group", f"write {{in: {text}}}"
    for pattern, hint in _OPERATORS:
        # A dialled number may end with '*'; who calls has none.
        if (found := pattern.fullmatch(text)) and (hint != _GLOB or field == "caller"):
            message = f"'{text}' is a text here, and no test"
            return "operator-as-text", message, hint.format(found[1])
    if field in _NUMBERS and _PARTED.fullmatch(text):
        return _parted(text)
    return None


def _parted(text: str) -> _Doubt:
    """What is said of a number that is written in groups of digits."""
    plain = re.sub("[^0-9+]", "", text)
    message = f"'{text}' is compared as it stands, and reports part no numbers"
    return "parted-number", message, f'write "{plain}"'


def _split(rule: WrittenRule) -> Iterator[Problem]:
    """``- event: ring`` and, as a trigger of its own, ``- extension: 101``."""
    alone = [one for one in rule.triggers if one.value.keys() - {"id"} == {"event"}]
    without = [one for one in rule.triggers if "event" not in one.value]
    if alone and without:
        event = alone[0].trigger.tests[0].wanted
        message = f"this is a trigger by itself, and every {event} is one"
        hint = "leave out the '- ' before tests that belong together"
        yield rule.warning(without[0].path, "split-trigger", message, hint)
