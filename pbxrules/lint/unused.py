"""What is declared and never used."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.yamlsource import Document

_STATE = re.compile(r"""\bstate(?:\.(\w+)|\[\s*['"](\w+)['"]\s*\])""")
_ANY_STATE = re.compile(r"""\bstate\b(?!\.\w|\[\s*['"]\w+['"]\s*\])""")
"""Which one, the call says."""
ANY = "*"


def _behind(key: str) -> Callable[[str, Any], Iterable[str]]:
    """The texts behind *key*, or in a list there."""

    def named(word: str, value: Any) -> Iterable[str]:
        if word != key:
            return ()
        listed = value if isinstance(value, list) else [value]
        return [text for text in listed if isinstance(text, str)]

    return named


def _states(word: str, value: Any) -> Iterator[str]:
    """The names of the state: tested, set, or named by templates."""
    if word in ("state", "set") and isinstance(value, dict):
        yield from value
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and "{{" in text:
            yield from (one[1] or one[2] for one in _STATE.finditer(text))
            yield from (ANY for _ in _ANY_STATE.finditer(text))


def _scripts(word: str, value: Any) -> Iterator[str]:
    if word == "script" and isinstance(value, dict):
        yield value["name"]


USES: Mapping[str, tuple[str, Callable[[str, Any], Iterable[str]]]] = {
    "groups": ("group", _behind("in")),
    "times": ("time", _behind("time")),
    "state": ("state", _states),
    "scripts": ("script", _scripts),
}
"""What a file declares: what one of them is called, and which a key and its value use."""


def unused_warnings(documents: Sequence[Document]) -> Iterator[Problem]:
    """What no rule and no script names, whether it is enabled or not."""
    values = [document.value or {} for document in documents]
    for declared, (kind, named) in USES.items():
        if not any(value.get(declared) for value in values):
            continue
        does = [value.get(key) for value in values for key in ("rules", "scripts")]
        used = {name for value in does for name in _used(value, named)}
        for document, value in zip(documents, values, strict=True):
            for name in value.get(declared, ()):
                if not {name, ANY} & used:
                    where = document.key_place((declared, name))
                    message = f"no rule uses the {kind} '{name}'"
                    yield Problem(where, f"unused-{kind}", message, "take it away", "warning")


def _used(value: Any, named: Callable[[str, Any], Iterable[str]]) -> Iterator[str]:
    """What *value* names, at whatever depth."""
    waiting = [("", value)]
    while waiting:
        word, inner = waiting.pop()
        yield from named(word, inner)
        if isinstance(inner, dict):
            waiting += inner.items()
        elif isinstance(inner, list):
            waiting += [("", one) for one in inner]
