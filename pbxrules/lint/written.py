"""Rules as they stand in their files, beside what was made of them."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.model import Rule, Trigger
from pbxrules.rules import RuleSet
from pbxrules.schema import Path
from pbxrules.yamlsource import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTrigger:
    """One trigger: its map in the file, where that stands, and its tests."""

    path: Path
    value: Mapping[str, Any]
    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One enabled rule or one script: what stands in its file."""

    document: Document
    path: Path
    value: Any

    @property
    def lists(self) -> Iterator[tuple[Path, list[Any]]]:
        """Its lists of actions, with their paths."""
        if isinstance(self.value, list):
            yield self.path, self.value
            return
        for key in ("actions", "finally"):
            if key in self.value:
                yield (*self.path, key), self.value[key]

    @property
    def variables(self) -> Mapping[str, Any] | None:
        """Its own; None: nobody says which."""
        return None if isinstance(self.value, list) else self.value.get("variables", {})

    def as_written(self, path: Path) -> Any:
        """The value at *path* of the file, its numbers as their digits."""
        value: Any = self.value
        for step in path[len(self.path) :]:
            value = value[step]
        return self.document.as_written(value, path)

    def warning(
        self, path: Path, code: str, message: str, hint: str = "", *, offset: int = 0
    ) -> Problem:
        """A warning about the value at *path* of the file, or so many characters into it."""
        where = self.document.place_within(path, offset) if offset else self.document.place(path)
        return Problem(where, code, message, hint, "warning")

    def key_warning(self, path: Path, code: str, message: str, hint: str = "") -> Problem:
        """A warning about the key at *path* of the file."""
        return Problem(self.document.key_place(path), code, message, hint, "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRule(Written):
    """One enabled rule."""

    rule: Rule
    groups: Mapping[str, Sequence[str]]
    """Those of all files."""

    triggers: Sequence[WrittenTrigger]
    """None where it takes every event."""

    fields: Container[str]
    """The names of fields, but for ``payload.…``."""

    def is_field(self, word: str) -> bool:
        """Whether *word* in a condition names a field."""
        return word in self.fields or word.startswith("payload.")


def written_scripts(documents: Sequence[Document]) -> Iterator[Written]:
    """Every script of *documents*, in their order."""
    for document in documents:
        for name, value in (document.value or {}).get("scripts", {}).items():
            yield Written(document=document, path=("scripts", name), value=value)


def written_rules(
    documents: Sequence[Document], ruleset: RuleSet, language: Language
) -> Iterator[WrittenRule]:
    """Every rule of *documents* that is enabled, in their order."""
    groups = {
        name: document.as_written(numbers, ("groups", name))
        for document in documents
        for name, numbers in (document.value or {}).get("groups", {}).items()
    }
    for document in documents:
        for place, value in enumerate((document.value or {}).get("rules", ())):
            rule = ruleset.by_id.get(value["id"])
            if rule is not None:
                path = ("rules", place)
                yield WrittenRule(
                    document=document,
                    path=path,
                    value=value,
                    rule=rule,
                    groups=groups,
                    fields=language.fields,
                    triggers=tuple(_triggers(value["triggers"], (*path, "triggers"), rule)),
                )


def _triggers(value: Any, path: Path, rule: Rule) -> Iterator[WrittenTrigger]:
    if isinstance(value, dict):
        yield WrittenTrigger(path=path, value=value, trigger=rule.triggers[0])
    elif isinstance(value, list):
        for place, (one, trigger) in enumerate(zip(value, rule.triggers, strict=True)):
            yield WrittenTrigger(path=(*path, place), value=one, trigger=trigger)
