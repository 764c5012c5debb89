"""Scripts: lists of steps that files declare by name, and rules put in.

A script sees the event, the variables of the configuration and what its rule gives it by
``with``; so it is read once by itself, and what is wrong with it is told where it stands.
"""

from collections.abc import Iterator
from typing import Any

from pbxrules.conditions.declared import Declared
from pbxrules.conditions.reading import Reader
from pbxrules.language import Language
from pbxrules.rulefile import RuleFile
from pbxrules.steps.actions import DEFAULT_EXPIRES
from pbxrules.steps.reading import Gathered, Steps
from pbxrules.steps.results import elsewhere, registered
from pbxrules.steps.sources import Script, Source


class FileScripts:
    """The scripts of all files, each read when it is first asked for."""

    def __init__(self, *, language: Language, declared: Declared) -> None:
        self.under_way: list[str] = []
        self._language = language
        self._declared = declared
        self._names: list[str] = []
        self._written: dict[str, tuple[RuleFile, Any]] = {}
        """Those that were not read yet; then their file may go."""
        self._read: dict[str, Script] = {}

    def declare(self, name: str, file: RuleFile, value: Any) -> None:
        """Take what *file* says of *name*."""
        self._names.append(name)
        self._written[name] = (file, value)

    def names(self) -> list[str]:
        """Of all there are."""
        return self._names

    def find(self, name: str) -> Script:
        """The script *name*, which is there and not under way."""
        if name not in self._read:
            self.under_way.append(name)
            self._read[name] = self._made(name, *self._written.pop(name))
            self.under_way.pop()
        return self._read[name]

    def _made(self, name: str, file: RuleFile, value: Any) -> Script:
        path = ("scripts", name)
        source = Source(file=file, language=self._language, scripts=self)
        steps = source.steps(value, path)
        reader = Reader(
            language=self._language,
            declared=self._declared,
            rule="",
            variables=None,
            usable=file.usable,
        )
        gathered = Gathered()
        Steps(
            gathered=gathered,
            reader=reader,
            expires=DEFAULT_EXPIRES,
            elsewhere=elsewhere({"actions": steps}),
        ).read(steps, path)
        file.tell([*source.faults, *reader.faults])
        good = not (source.faults or reader.faults or gathered.broken or file.is_cut(path))
        names = reader.used.names
        return Script(
            steps=steps if good and file.usable(path) else None,
            size=source.size,
            registers=tuple(dict.fromkeys(registered(value))),
            variables=frozenset(_members_of_vars(names)),
            names_any="vars" in names,
        )


def _members_of_vars(names: set[str]) -> Iterator[str]:
    for name in names:
        first, _, member = name.partition(".")
        if first == "vars" and member:
            yield member
