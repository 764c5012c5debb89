"""What a test expects, what it begins with, and what it lets targets answer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.errors import Fault, Location
from pbxrules.memory import fits
from pbxrules.model import StateDecl
from pbxrules.schema import Path, shown
from pbxrules.template import kind
from pbxrules.testing.around import Around, unknown_rule, unknown_state
from pbxrules.testing.cases import Answer, Expected
from pbxrules.testing.moments import seconds

NOT_BESIDE_STATE = ("rule", "after", "before", "times")
SAID = ("rule", "when", "times", "fails", "fails_for_good")
"""The keys of an answer that are no member of its result."""
MOST_TIMES = 100_000


def expectations(
    told: Sequence[Any],
    path: Path,
    around: Around,
    places: Sequence[Location],
    found: list[Fault],
) -> Iterator[Expected]:
    """What is expected; what is wrong with it goes to *found*."""
    for place, (entry, where) in enumerate(zip(told, places, strict=True)):
        if not isinstance(entry, Mapping):
            continue  # something is wrong with it, and was told
        at = (*path, place)
        wrong = list(_faults(entry, at, around))
        found += wrong
        moments = {
            f"{key}_s": seconds(entry.get(key), (*at, key), found)
            for key in ("at", "after", "before")
        }
        state = None
        if "state" in entry:
            state = state_values(entry["state"], (*at, "state"), around, found)
        verb = next((key for key in entry if key in around.language.verbs), "")
        if not wrong:
            yield Expected(
                where=where,
                times=_times(entry.get("times"), (*at, "times"), found),
                rule=entry.get("rule", ""),
                verb=verb,
                args=around.language.verbs[verb].arguments(entry) if verb else {},
                state=state,
                **moments,
            )


def _faults(entry: Mapping[str, Any], path: Path, around: Around) -> Iterator[Fault]:
    verbs = [key for key in entry if key in around.language.verbs]
    if len(verbs) > 1:
        message = f"'{verbs[0]}' and '{verbs[1]}' stand in one expectation"
        hint = "make two of it: each begins with '- '"
        yield Fault((*path, verbs[1]), "two-verbs", message, hint, at_key=True)
    if "state" in entry:
        beside = [key for key in (*verbs, *NOT_BESIDE_STATE) if key in entry]
        if beside:
            message = f"'state' and '{beside[0]}' can't both stand in an expectation"
            hint = "of a state one can say 'at'"
            yield Fault((*path, beside[0]), "two-keys", message, hint, at_key=True)
    elif not verbs and "rule" not in entry:
        message = "an expectation names a rule, an action or a state"
        yield Fault(path, "missing-key", message, "such as rule: hall-lamp")
    if path[-2] == "expect_no" and "times" in entry:
        message = "'times' has no place in expect_no"
        yield Fault((*path, "times"), "unknown-key", message, "say it in expect", at_key=True)
    lone = [key for key in entry if _owner(key, around) not in ("", *verbs)]
    for key in lone:
        message = f"'{key}' stands beside '{_owner(key, around)}', which is not there"
        yield Fault((*path, key), "unknown-key", message, at_key=True)
    if "rule" in entry:
        yield from unknown_rule(entry["rule"], (*path, "rule"), around)


def _owner(key: str, around: Around) -> str:
    """The verb beside which alone *key* may stand; ``""`` where it may anyhow."""
    return next((verb.name for verb in around.language.verbs.values() if key in verb.beside), "")


def _times(value: Any, path: Path, found: list[Fault]) -> int | None:
    if value is None:
        return None
    text = str(value)
    if text.isascii() and text.isdigit() and int(text) <= MOST_TIMES:
        return int(text)
    found.append(Fault(path, "wrong-value", f"{shown(value)} is not a whole number", "such as 1"))
    return None


# --- State -----------------------------------------------------------------------------------


def state_values(
    told: Mapping[str, Any], path: Path, around: Around, found: list[Fault]
) -> dict[str, Any]:
    """The values of names of the state, of the kinds that these have."""
    values = {}
    for name, value in told.items():
        at = (*path, name)
        found += unknown_state(name, at, around)
        declared = around.ruleset.state.get(name) if around.ruleset is not None else None
        if declared is None:
            continue
        values[name] = made = _of_its_kind(value, declared)
        if not _may_be(made, declared):
            usual = f"it begins as {kind(declared.first)}"
            hint = "a message of MQTT is text" if declared.topic is not None else usual
            found.append(Fault(at, "wrong-type", f"'{name}' can't be {kind(made)}", hint))
    return values


def _of_its_kind(value: Any, declared: StateDecl) -> Any:
    """*value*, which a template may have made text of, as the name of the state has it."""
    if declared.topic is not None or isinstance(declared.first, str):
        scalar = isinstance(value, int | float)
        return json.dumps(value) if scalar else value
    if isinstance(value, str) and isinstance(declared.first, int | float):
        try:
            read = json.loads(value)
        except ValueError:
            return value
        return read if isinstance(read, int | float) else value
    return value


def _may_be(value: Any, declared: StateDecl) -> bool:
    if declared.topic is not None:
        return value is None or isinstance(value, str)
    return fits(value, declared)


# --- Answers ---------------------------------------------------------------------------------


def answers(
    told: Mapping[str, Any], path: Path, around: Around, found: list[Fault]
) -> dict[str, tuple[Answer, ...]]:
    """What targets answer, by verb."""
    made = {}
    for verb, value in told.items():
        listed = isinstance(value, list)
        entries = value if listed else [value]
        paths = [(*path, verb, n) if listed else (*path, verb) for n in range(len(entries))]
        made[verb] = tuple(
            _answer(entry, at, around, found) for entry, at in zip(entries, paths, strict=True)
        )
    return made


def _answer(entry: Mapping[str, Any], path: Path, around: Around, found: list[Fault]) -> Answer:
    if "rule" in entry:
        found += unknown_rule(entry["rule"], (*path, "rule"), around)
    if "fails" in entry and "fails_for_good" in entry:
        message = "'fails' and 'fails_for_good' can't both stand in an answer"
        found.append(Fault((*path, "fails"), "two-keys", message, at_key=True))
    return Answer(
        rule=entry.get("rule", ""),
        when=entry.get("when", {}),
        times=_times(entry.get("times"), (*path, "times"), found),
        fails=entry.get("fails", ""),
        fails_for_good=entry.get("fails_for_good", ""),
        result={key: _result(key, value) for key, value in entry.items() if key not in SAID},
    )


NUMBERS = frozenset({"exit_code", "status"})


def _result(key: str, value: Any) -> Any:
    """A member of a result; a number that came out of ``cases`` is its digits."""
    return int(value) if key in NUMBERS and isinstance(value, str) and value.isdigit() else value
