"""What a template consists of, once its text was read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pbxrules.template.names import Reference
from pbxrules.template.problems import Finding
from pbxrules.template.values import Scope

Evaluate = Callable[[Scope], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One ``{{ … }}``."""

    evaluate: Evaluate
    shown: str
    """About how it stands in the template."""
    literals: tuple[str, ...]
    """The author's texts that it may give as they are."""


Part = str | Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A template's parts in order, the names it uses, and what is wrong with it."""

    parts: tuple[Part, ...] = ()
    """No two texts side by side; of no use where there are findings."""
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why the author's own text can't stand where it does."""

    message: str
    hint: str
    word: str
    """The part of the text that is wrong."""


def unfit(character: str, where: str, hint: str = "") -> Fault:
    """The fault that *character* can't stand in *where*."""
    shown = f"'{character}'" if character.isprintable() else f"U+{ord(character[0]):04X}"
    if character == "\n":
        hint = "YAML's '|' and '>' add a line break: write '|-' or '>-'"
    return Fault(message=f"{shown} can't stand in {where}", hint=hint, word=character)
