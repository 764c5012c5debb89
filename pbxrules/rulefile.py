"""One rule file while it is read, and what its schema finds wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pbxrules.errors import Fault, Problem
from pbxrules.schema import Path, Schema
from pbxrules.yamlsource import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A file's value, where something is wrong with it, and what was told of that."""

    document: Document
    wrong: frozenset[Path]
    """Where the schema already found something: no need to look there again."""
    mismatches: tuple[Fault, ...] = ()
    """What it found, not told yet."""
    problems: list[Problem] = field(default_factory=list)
    """What was told."""
    strange: set[Path] = field(default_factory=set)
    """Fields that no event has: what the schema says of their values is no matter."""

    @property
    def value(self) -> Any:
        """What stands in it."""
        return self.document.value

    def usable(self, path: Path, *, but: Iterable[Path] = ()) -> bool:
        """Whether nothing is known to be wrong at *path* and below, but at *but* and below."""
        if not self.wrong:
            return True
        below = [wrong for wrong in self.wrong if wrong[: len(path)] == path]
        return all(any(wrong[: len(one)] == one for one in but) for wrong in below)

    def tell(self, faults: Iterable[Fault]) -> None:
        """Tell what is wrong, by its places."""
        for fault in faults:
            where = (self.document.key_place if fault.at_key else self.document.place)(fault.path)
            self.problems.append(Problem(where, fault.code, fault.message, fault.hint))
            if fault.code == "unknown-field":
                self.strange.add(fault.path)

    def tell_mismatches(self) -> None:
        """Tell what the schema found, unless it is about the value of a strange field."""
        for fault in self.mismatches:
            around = {fault.path[: depth + 1] for depth in range(len(fault.path))}
            if self.strange.isdisjoint(around):
                self.tell([fault])


def checked(document: Document, schema: Schema) -> RuleFile:
    """*document*, with what reading it found wrong told, and what *schema* does noted."""
    if document.value is None or not document.complete:
        return RuleFile(document=document, wrong=frozenset({()}), problems=list(document.problems))
    wrong: set[Path] = set()
    told = {problem.where for problem in document.problems}
    mismatches: list[Fault] = []
    for found in schema.mismatches(document.value):
        # A value that is wrong for a reason already told needs no second one.
        path = found.path if found.key is None else (*found.path, found.key)
        at_key = found.key is not None
        if document.place(path) not in told:
            fault = Fault(path, found.code, found.message, found.hint, at_key=at_key)
            mismatches.append(fault)
        wrong.add(path if found.key is None else found.path)
    return RuleFile(
        document=document,
        wrong=frozenset(wrong),
        mismatches=tuple(mismatches),
        problems=list(document.problems),
    )
