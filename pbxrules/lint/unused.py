"""What is declared and never used."""

from collections.abc import Iterator, Sequence
from typing import Any

from pbxrules.errors import Problem
from pbxrules.yamlsource import Document


def unused_warnings(documents: Sequence[Document]) -> Iterator[Problem]:
    """The groups that no rule names, whether it is enabled or not."""
    used = {name for document in documents for name in _named(document.value, "in")}
    for document in documents:
        for name in (document.value or {}).get("groups", ()):
            if name not in used:
                message = f"no rule uses the group '{name}'"
                where = document.key_place(("groups", name))
                yield Problem(where, "unused-group", message, "take it away", "warning")


def _named(value: Any, key: str) -> Iterator[str]:
    """The texts that stand behind *key*, wherever it stands."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value or ()):
        if isinstance(inner, dict | list):
            yield from _named(inner, key)
        elif name == key and isinstance(inner, str):
            yield inner
