"""Actions that fail each time, for they need a field that no event of their rule has."""

import re
from collections.abc import Iterator
from typing import Any

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.lint.actions import steps
from pbxrules.lint.never import DIRECTIONS, Places, instead, subject
from pbxrules.lint.texts import texts
from pbxrules.lint.written import WrittenRule
from pbxrules.pbx.tables import FIELDS
from pbxrules.schema import Path

_BARE = re.compile(r"\{\{-?\s*([a-z_]+)\s*-?\}\}")
"""A field by itself, with nothing to take its place."""


def absent_warnings(rule: WrittenRule, language: Language, places: Places) -> Iterator[Problem]:
    """What is filled into topics, URLs and arguments of *rule*, and is never there."""
    bare = {
        (path, found[1]): found.start(1)
        for path, text in _strict_texts(rule, language)
        for found in _BARE.finditer(text)
        if found[1] in FIELDS
    }
    if not bare:
        return
    left = [places.fitting(written) for written in rule.triggers] or [places.all]
    had = frozenset().union(*(place.fields for each in left for place in each))
    among = [place for each in left for place in each]
    ways = {str(written.value.get("direction")) for written in rule.triggers}
    direction = ways.pop() if len(ways) == 1 else None
    which = subject(among, direction if direction in DIRECTIONS else None) if among else ""
    for (path, field), offset in bare.items():
        if had and field not in had:
            message = f"{which} never has '{field}', so this action always fails"
            hint = instead(field, among)
            yield rule.warning(path, "always-fails", message, hint, offset=offset)


def _strict_texts(rule: WrittenRule, language: Language) -> Iterator[tuple[Path, str]]:
    for path, step in steps(rule, language):
        verb = next(language.verbs[name] for name in step if name in language.verbs)
        for name, context in verb.templates.items():
            keys = verb.path_of(name, step) if context.strict else None
            if keys is not None:
                value: Any = step
                for key in keys:
                    value = value[key]
                yield from texts(value, (*path, *keys))
