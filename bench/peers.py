"""The same rules for other engines: ``rule-engine`` and, where it is installed, durable_rules.

rule-engine compiles one expression for each rule, and looks at each for every event.
durable_rules puts all into a Rete network in C.  It comes as source only, so it needs a
compiler and is not among the requirements: ``pip install durable_rules`` for its figures.
It takes an event for the first rule that fits, where the others find all of them.
"""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from importlib.util import find_spec
from typing import Any

from bench.house import House, Tests, fields
from pbxrules.model import Event

RULE_ENGINE, DURABLE = "rule-engine", "durable_rules"
Fires = Callable[[Event], int]
"""How many rules an event fires."""


def installed() -> list[str]:
    """Return the peers that can be measured."""
    return [RULE_ENGINE, *([DURABLE] if find_spec("durable") else [])]


def engine(name: str, house: House) -> Fires:
    """Return the engine of that *name*, with the rules of *house*."""
    return _rule_engine(house) if name == RULE_ENGINE else _durable(house)


def _rule_engine(house: House) -> Fires:
    import rule_engine

    context = rule_engine.Context(default_value=None)
    rules = [rule_engine.Rule(_expression(t, house), context=context) for t in house.triggers]

    def fires(event: Event) -> int:
        told = event.fields
        return sum(rule.matches(told) for rule in rules)

    return fires


def _expression(tests: Tests, house: House) -> str:
    return " and ".join(
        _EXPRESSIONS[name](field, operand, house) for field, name, operand in fields(tests)
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_of(field: str, operand: Any, house: House) -> str:
    texts = house.groups[operand] if isinstance(operand, str) else operand
    if len(texts) == 1:
        return f"{field} == {_quoted(texts[0])}"
    return f"{field} in [{', '.join(map(_quoted, texts))}]"


_EXPRESSIONS: dict[str, Callable[[str, Any, House], str]] = {
    "in": _one_of,
    "prefix": lambda field, operand, _: f"{field}.starts_with({_quoted(operand)})",
    "glob": lambda field, operand, _: f"{field} =~ {_quoted(translate(operand))}",
    "regex": lambda field, operand, _: f"{field} =~ {_quoted(f'(?:{operand})$')}",
}


def _durable(house: House) -> Fires:
    from durable.engine import MessageNotHandledException
    from durable.lang import get_host

    hits: list[Any] = []
    rules = {
        f"r{number}": {"all": [{"m": _condition(tests, house)}], "run": hits.append}
        for number, tests in enumerate(house.triggers)
    }
    host = get_host()
    host.set_rulesets({"house": rules})

    def fires(event: Event) -> int:
        told = {name: value for name, value in event.fields.items() if isinstance(value, str)}
        hits.clear()
        try:
            host.post("house", told)
        except MessageNotHandledException:
            return 0
        return len(hits)

    return fires


def _condition(tests: Tests, house: House) -> Any:
    parts = [_durable_part(*test, house) for test in fields(tests)]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def _durable_part(field: str, name: str, operand: Any, house: House) -> Any:
    if name == "in":
        texts: Sequence[str] = house.groups[operand] if isinstance(operand, str) else operand
        parts = [{field: text} for text in texts]
        return parts[0] if len(parts) == 1 else {"$or": parts}
    pattern = {
        "prefix": lambda: f"{_plain(operand)}.*",
        "glob": lambda: _plain(operand).replace("[*]", ".*").replace("[?]", "."),
        "regex": lambda: operand.replace("\\+", "[+]"),
    }[name]()
    return {"$mt": {field: pattern}}


def _plain(text: str) -> str:
    """Return *text* for durable_rules' own regular expressions, which know no backslash."""
    return re.sub(r"[+*?.]", r"[\g<0>]", text)
