"""What is declared and never used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.yamlsource import Document

USES: Mapping[str, tuple[str, str]] = {"groups": ("group", "in"), "times": ("time", "time")}
"""What a file declares: what one of them is called, and the key behind which it is used."""


def unused_warnings(documents: Sequence[Document]) -> Iterator[Problem]:
    """The groups and times that no rule names, whether it is enabled or not."""
    for declared, (kind, key) in USES.items():
        rules = ((document.value or {}).get("rules") for document in documents)
        used = {name for value in rules for name in _named(value, key)}
        for document in documents:
            for name in (document.value or {}).get(declared, ()):
                if name not in used:
                    where = document.key_place((declared, name))
                    message = f"no rule uses the {kind} '{name}'"
                    yield Problem(where, f"unused-{kind}", message, "take it away", "warning")


def _named(value: Any, key: str) -> Iterator[str]:
    """The texts that stand behind *key*, or in a list there, wherever it stands."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value or ()):
        if isinstance(inner, dict | list):
            yield from _named(inner, key)
        if name == key:
            yield from (text for text in _listed(inner) if isinstance(text, str))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
