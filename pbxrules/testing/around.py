"""What stands around the tests of one folder, and what they may name of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pbxrules.errors import Fault, did_you_mean
from pbxrules.language import Language
from pbxrules.rules import RuleSet
from pbxrules.schema import Path, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around tests."""

    schema: Schema
    """Of test files."""
    language: Language
    ruleset: RuleSet | None
    """The rules of their folder; None where those can't be read."""


def unknown_rule(name: str, path: Path, around: Around) -> Iterator[Fault]:
    """That no rule has this id, where it is so."""
    if around.ruleset is not None and name not in around.ruleset.by_id:
        hint = did_you_mean(name, around.ruleset.by_id) or "one with enabled: false never fires"
        yield Fault(path, "unknown-rule", f"no rule of this folder is called '{name}'", hint)


def unknown_state(name: str, path: Path, around: Around) -> Iterator[Fault]:
    """That no file declares this name of the state, where it is so."""
    if around.ruleset is not None and name not in around.ruleset.state:
        near = did_you_mean(name, around.ruleset.state)
        hint = near or "declare it under 'state:' of a rule file"
        message = f"no file of this folder declares the state '{name}'"
        yield Fault(path, "unknown-state", message, hint, at_key=True)
