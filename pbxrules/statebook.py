"""The state of the rule set, for people and as JSON."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.printable import escape

MOST = 200
"""Characters of a value that people are shown."""


def show(told: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print the names with their values on stdout."""
    if as_json:
        for one in told:
            sys.stdout.write(json.dumps(one) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, file=sys.stdout)
    for pieces in _lines(told):
        console.print(Text.assemble(*pieces))


def _lines(told: Sequence[Mapping[str, Any]]) -> Iterator[list[tuple[str, str]]]:
    if not told:
        yield [("no rule file declares anything under 'state:'", "")]
    names = max((len(one["name"]) for one in told), default=0)
    values = [shown(one["value"]) if one["known"] else "unknown" for one in told]
    width = min(max(map(len, values), default=0), 40)
    for one, value in zip(told, values, strict=True):
        pieces = [(f"{one['name']:<{names}}  ", "bold"), (value, "" if one["known"] else "dim")]
        if one["topic"] is not None:
            gap = " " * max(0, width - len(value))
            pieces.append((f"{gap}  of {escape(one['topic'])}", "dim"))
        yield pieces


def shown(value: Any) -> str:
    """A value on one line: text as it is, all else as JSON."""
    is_text = isinstance(value, str) and value
    text = escape(value if is_text else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= MOST else text[:MOST] + "…"
