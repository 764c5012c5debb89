"""Steps as they stand in a file → the JSON that a run keeps of them.

What a step means is then to be read off it alone: a number where text is meant is its
digits, and a script stands in the place of its name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pbxrules.errors import Fault, did_you_mean, nearest
from pbxrules.language import Language
from pbxrules.rulefile import RuleFile
from pbxrules.schema import Path
from pbxrules.steps.controls import found, value_at
from pbxrules.steps.results import Broken
from pbxrules.template import Context

MOST = 1_000
"""Steps of one rule, those of scripts included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script, ready to be put in."""

    steps: list[Any] | None
    """None: something is wrong with it, which is told where it stands."""
    size: int
    """How many steps it is."""
    registers: tuple[str, ...]
    """The results that it registers."""
    variables: frozenset[str]
    """Those that its templates name."""
    names_any: bool
    """Which variable it takes, a call says."""


class Scripts(Protocol):
    """The scripts of all files."""

    under_way: list[str]
    """Those that are being read, each put in by the one before it."""

    def names(self) -> list[str]:
        """Of all there are."""

    def find(self, name: str) -> Script:
        """The script *name*, which is there and not under way."""


class Source:
    """Makes plain the steps of one rule or one script."""

    def __init__(self, *, file: RuleFile, language: Language, scripts: Scripts) -> None:
        self.faults: list[Fault] = []
        self.size = 0
        """How many steps there were."""
        self._file = file
        self._language = language
        self._scripts = scripts

    def steps(self, value: Any, path: Path) -> list[Any]:
        """The list of steps at *path*; ``Broken`` in the place of those known to be wrong."""
        listed = value if isinstance(value, list) else []
        return [self._step(step, (*path, place)) for place, step in enumerate(listed)]

    def _step(self, step: Any, path: Path) -> Any:
        if not isinstance(step, Mapping):
            return Broken()
        self.size += 1
        lists = [at for at in found(step, "lists") if isinstance(value_at(step, at), list)]
        asks = (*found(step, "conditions"), *found(step, "tests"))
        inner = tuple((at, self.steps(value_at(step, at), (*path, *at))) for at in lists)
        plain: Any = dict(step)
        for at in (*asks, *self._texts(step)):
            written = self._file.document.as_written(value_at(step, at), (*path, *at))
            plain = with_value(plain, at, written)
        for at, value in inner:
            plain = with_value(plain, at, value)
        if not self._file.usable(path, but=[(*path, *at) for at in (*lists, *asks)]):
            return Broken(step=plain)
        return self._put_in(plain, path) if "script" in step else plain

    def _texts(self, step: Mapping[str, Any]) -> Iterator[Path]:
        """Where arguments are text, in which a number is its digits."""
        for verb in self._language.verbs.values():
            if verb.name not in step and verb.beside.isdisjoint(step):
                continue
            for name, context in verb.templates.items():
                at = verb.path_of(name, step)
                if at is not None and context is not Context.VALUE:
                    yield at

    # --- scripts -------------------------------------------------------------------------------

    def _put_in(self, step: Mapping[str, Any], path: Path) -> Any:
        """*step*, with the steps of its script in the place of the name."""
        name, given = step["script"]["name"], step["script"].get("with", {})
        at = (*path, "script", "name")
        before = self._scripts.under_way
        if name not in self._scripts.names():
            hint = did_you_mean(name, self._scripts.names()) or "declare it under 'scripts:'"
            self._fault(at, "unknown-script", f"no script is called '{name}'", hint)
            return Broken()
        if name in before:
            way = " → ".join([*before[before.index(name) :], name])
            self._fault(at, "script-loop", f"the script '{name}' would run itself: {way}")
            return Broken()
        script = self._scripts.find(name)
        if script.steps is None or not self._fits(script, name, given, path):
            return Broken(registers=script.registers)
        self.size += script.size
        if self.size > MOST:
            message = f"with its scripts this would be more than {MOST:,} actions"
            self._fault(at, "too-many-actions", message)
            return Broken(registers=script.registers)
        told = {**self._language.variables, **given}
        used = told if script.names_any else sorted(script.variables & told.keys())
        return {**step, "script": script.steps, "with": {key: told[key] for key in used}}

    def _fits(self, script: Script, name: str, given: Mapping[str, Any], path: Path) -> bool:
        """Whether *script* is given what it takes."""
        before = len(self.faults)
        at = (*path, "script", "with")
        missing = sorted(script.variables - {*given, *self._language.variables})
        meant = {nearest(key, missing) for key in given if key not in script.variables}
        for key in given:
            if _has_template(given[key]):
                message = "values for a script hold no templates"
                hint = "its own templates see the event: write {{ caller }} there"
                self._fault((*at, key), "script-template", message, hint)
            elif key not in script.variables and not script.names_any:
                hint = did_you_mean(key, missing) or "take it away"
                message = f"the script '{name}' names no 'vars.{key}'"
                self._fault((*at, key), "unused-variable", message, hint, at_key=True)
        for key in missing:
            if key in meant:  # it is told as the misspelt one
                continue
            message = f"the script '{name}' names 'vars.{key}', and is not given it"
            self._fault((*path, "script"), "missing-variable", message, f"with: {{{key}: …}}")
        return len(self.faults) == before

    def _fault(
        self, path: Path, code: str, message: str, hint: str = "", *, at_key: bool = False
    ) -> None:
        self.faults.append(Fault(path, code, message, hint, at_key=at_key))


def _has_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    inner = value.values() if isinstance(value, Mapping) else value
    return isinstance(value, list | Mapping) and any(map(_has_template, inner))


def with_value(value: Any, path: Path, new: Any) -> Any:
    """A copy of *value* that has *new* at *path*."""
    if not path:
        return new
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = with_value(value[path[0]], path[1:], new)
    return copy
