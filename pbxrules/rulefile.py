"""One rule file while it is read, and what its schema finds wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pbxrules.errors import Fault, Location, Problem
from pbxrules.language import Language
from pbxrules.misplaced import emptied, explained, places
from pbxrules.schema import Mismatch, Path
from pbxrules.yamlsource import Document

NAMED: Mapping[str, str] = MappingProxyType(
    {"groups": "group", "times": "time", "state": "state", "scripts": "script"}
)
"""Where one file gives names that all may use, and of what."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What was told of all files, and of what nothing can be told."""

    problems: list[Problem] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """Kinds of names (``group``, ``time``) of which not all could be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A file's value, where something is wrong with it, and what was told of that."""

    document: Document
    told: Told
    wrong: frozenset[Path]
    """Where the schema already found something: no need to look there again."""
    mismatches: tuple[Mismatch, ...] = ()
    """What it found, not told yet."""
    cut: Location | None = None
    """From where on nothing is told, for the file was not read to its end."""
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

    def is_cut(self, path: Path) -> bool:
        """Whether what stands at *path* was perhaps not read to its end."""
        return self.cut is not None and self.document.key_place(path) >= self.cut

    def tell(self, faults: Iterable[Fault]) -> None:
        """Tell *faults*, but for what only follows from what YAML could not read."""
        document = self.document
        for fault in faults:
            if fault.code == "unknown-field":
                self.strange.add(fault.path)
            where = (document.key_place if fault.at_key else document.place)(fault.path)
            exactly = document.place_within(fault.path, fault.offset) if fault.offset else where
            beyond = self.cut is not None and where >= self.cut
            unread = fault.code.removeprefix("unknown-") in self.told.unread
            told = fault.code != "missing-key" and document.is_told(where, fault.path)
            if not (beyond or unread or told):
                problem = Problem(exactly, fault.code, fault.message, fault.hint)
                self.told.problems.append(problem)

    def tell_mismatches(self) -> None:
        """Tell what the schema found, unless it is about the value of a strange field."""
        for one in self.mismatches:
            path = one.path if one.key is None else (*one.path, one.key)
            around = {path[: depth + 1] for depth in range(len(path))}
            # A key of the rule that stands too far to the right is not missing as well.
            there = {strange[: len(path)] for strange in self.strange if strange[-1] == one.missing}
            if self.strange.isdisjoint(around) and path not in there:
                at_key = one.key is not None
                self.tell([Fault(path, one.code, one.message, one.hint, at_key=at_key)])


def checked(document: Document, language: Language, told: Told) -> RuleFile:
    """*document*, with what reading it found wrong told, and what its schema does noted."""
    cut = None if document.complete else last_begun(document)
    if cut is not None:
        told.unread.update(NAMED.values())
    if document.value is None:
        told.problems.extend(document.problems)
        return RuleFile(document=document, told=told, wrong=frozenset({()}), cut=cut)
    found = [
        one
        for one in language.rules_schema.mismatches(document.value)
        if one.path[:1] != ("times",) or len(one.path) == 1  # compile_time says more of them
    ]
    known = places(language) if found else None
    told.unread.update(_lost(found))
    empty = emptied(found, document.value, known) if known else ()
    excused = {document.place(path) for path in empty}
    told.problems.extend(p for p in document.problems if p.where not in excused)
    return RuleFile(
        document=document,
        told=told,
        wrong=frozenset(one.path for one in found),
        mismatches=tuple(explained(found, document.value, known)) if known else (),
        cut=cut,
    )


def _lost(found: Iterable[Mismatch]) -> set[str]:
    """What nobody knows the names of: ``groups`` stands in a rule, or is a list."""
    keys = {one.key for one in found} | {one.path[0] for one in found if len(one.path) == 1}
    return {kind for key, kind in NAMED.items() if key in keys}


def last_begun(document: Document) -> Location:
    """Where the last rule, group or time begins that was read, the whole of it or not."""
    value = document.value
    if not isinstance(value, Mapping) or not value:
        return document.place()
    key = next(reversed(value))
    inner = value[key]
    if isinstance(inner, list | Mapping) and inner:
        last = len(inner) - 1 if isinstance(inner, list) else next(reversed(inner))
        return document.key_place((key, last))
    return document.key_place((key,))
