"""A mixed set of rules, as large as one likes, and rings for it.

A company grows and its rules with it: more phones, more numbers that it knows, more
groups.  So each ring meets a handful of rules, in a set of 10 as in one of 100,000.  The
random numbers are the same in each run.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pbxrules.model import Event

PER_FILE = 500
GROUP = 20
"""Numbers in a group."""
TRUNKS = 8
SHARES = {"grouped": 10, "equal": 60, "listed": 15, "prefixed": 14, "patterned": 1}
"""Rules of each kind, of 100."""
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]
STEP = 37
"""Without a divisor in common with 100, so that the kinds come evenly, in the first ten too."""

Tests = Mapping[str, Any]
"""A trigger as it is written: field tests by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Rules, by what they ask for, and the groups that they name."""

    triggers: Sequence[Tests]
    groups: Mapping[str, Sequence[str]]


def house(count: int) -> House:
    """Return *count* rules."""
    chance = random.Random(count)  # noqa: S311 - chosen, not secret
    groups = {
        f"group-{number}": [_known(number * GROUP + member) for member in range(GROUP)]
        for number in range(max(1, count // 50))
    }
    return House(
        triggers=[_trigger(KINDS[n * STEP % 100], n, count, chance) for n in range(count)],
        groups=groups,
    )


def _trigger(kind: str, number: int, count: int, chance: random.Random) -> Tests:
    match kind:
        case "equal":
            tests = {"event": "ring", "extension": _phone(count, chance)}
            return tests | ({"trunk": _trunk(chance)} if number % 2 else {})
        case "listed":
            phones = sorted({_phone(count, chance) for _ in range(3)})
            return {"event": "ring", "extension": phones}
        case "grouped":
            group = f"group-{chance.randrange(max(1, count // 50))}"
            return {"event": ["ring", "answer"], "caller": {"in": group}}
        case "prefixed":
            digits = chance.randrange(4, 8)
            prefix = f"+49{chance.randrange(10**digits):0{digits}}"
            return {"event": "ring", "direction": "inbound", "caller": {"prefix": prefix}}
        case _:
            code = f"{chance.randrange(10**4):04}"
            pattern = (
                {"trunk": {"glob": f"to-*-{code}"}},
                {"callee": {"glob": f"?{code}*"}},
                {"caller": {"regex": f"(00|\\+)43{code}[0-9]+"}},
                {"caller": {"regex": f"0[1-9][0-9]*{code}"}},
            )
            return {"event": "ring", **pattern[number // 100 % 4]}


def _known(number: int) -> str:
    return f"+4930{number:07}"


def _phone(count: int, chance: random.Random) -> str:
    return str(10_000 + chance.randrange(count // 5))


def _trunk(chance: random.Random) -> str:
    return f"to-18-16-{chance.randrange(TRUNKS)}"


def rings(count: int, amount: int) -> list[Event]:
    """Return *amount* rings for a house of *count* rules: of them some fire rules, some do not."""
    chance = random.Random(-count)  # noqa: S311 - as above
    members = max(1, count // 50) * GROUP
    return [_ring(number, count, members, chance) for number in range(amount)]


def _ring(number: int, count: int, members: int, chance: random.Random) -> Event:
    phone = _phone(count, chance) if number % 2 else f"9{chance.randrange(10**4):04}"
    caller = (
        _known(chance.randrange(members)),
        f"+49{chance.randrange(10**9):09}",
        f"+43{chance.randrange(10**9):09}",
        f"0{chance.randrange(10**9):09}",
    )[number // 2 % 4]
    return Event(
        fields={
            "event": "ring",
            "action": "RING",
            "received_at": "2026-11-23T06:46:00.123Z",
            "call_id": f"{1_589_948_512 + 5 * number}.{1709 + 10 * number}",
            "direction": "inbound",
            "extension": phone,
            "extensions": (phone,),
            "caller": caller,
            "callee": f"0{chance.randrange(10**4):04}55",
            "trunk": _trunk(chance),
            "pbx": "a09805021987",
        },
        payload={"action": "RING"},
    )


def write(folder: Path, count: int) -> None:
    """Write a house of *count* rules as a folder of rule files, 500 to a file."""
    folder.mkdir(parents=True)
    made = house(count)
    groups = {name: list(members) for name, members in made.groups.items()}
    (folder / "groups.yaml").write_text(f"groups: {json.dumps(groups)}\n", encoding="utf-8")
    for first in range(0, count, PER_FILE):
        rules = "".join(
            RULE.format(number=first + place, triggers=_flow(tests))
            for place, tests in enumerate(made.triggers[first : first + PER_FILE])
        )
        path = folder / f"house-{first // PER_FILE:03}.yaml"
        path.write_text(f"rules:\n{rules}", encoding="utf-8")


RULE = """\
  - id: rule-{number}
    alias: Lamp {number}
    triggers: {triggers}
    actions:
      - mqtt: {{topic: home/lamp-{number}/set, payload: {{state: "ON", by: "{{{{ caller }}}}"}}}}
"""


def _flow(value: Any) -> str:
    """Return *value* in the braces of YAML, with quotes where they are needed, as people write."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = value.replace("-", "").replace("+", "").isalnum()
    return str(value) if plain else "'" + value.replace("'", "''") + "'"


def fields(tests: Tests) -> Iterator[tuple[str, str, Any]]:
    """Return each field test as field, operator and operand; a text and a list are ``in``."""
    for field, wanted in tests.items():
        if isinstance(wanted, Mapping):
            for name, operand in wanted.items():
                yield field, name, operand
        else:
            yield field, "in", wanted if isinstance(wanted, list) else [wanted]
