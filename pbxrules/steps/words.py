"""The verb of a step, what may stand beside it, and where it may stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.errors import Fault
from pbxrules.language import BESIDE_ACTIONS, BESIDE_ALL, Language
from pbxrules.schema import Path
from pbxrules.steps.controls import controls


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Where only some steps may stand."""

    where: str
    """The word around them."""
    controls: frozenset[str] = frozenset()
    """What may stand there beside actions."""

    def fault(self, word: str, path: Path) -> Fault:
        """The fault that *word* stands at *path*."""
        *most, last = ["actions", *(f"'{name}'" for name in sorted(self.controls))]
        hint = f"it holds {', '.join(most)} and {last}" if most else f"it holds {last} only"
        message = f"'{word}' can't stand in '{self.where}'"
        return Fault((*path, word), "not-here", message, hint, at_key=True)


def words_of(step: Mapping[str, Any], language: Language) -> list[str]:
    """The verbs in a step, and the words that steer; there should be one."""
    return [key for key in step if key in language.verbs or key in controls()]


def not_one(step: Mapping[str, Any], words: Sequence[str], path: Path, language: Language) -> Fault:
    """The fault that a step has none of these words, or several."""
    if words:
        message = f"'{words[1]}' stands in an action that has '{words[0]}' already"
        hint = "begin a new action with -"
        return Fault((*path, words[1]), "two-verbs", message, hint, at_key=True)
    known = ", ".join([*language.verbs, *controls()])
    owners = language.owners
    lone = [key for key in step if len(owners.get(key, ())) == 1]
    hint = f"'{lone[0]}' stands beside {owners[lone[0]][0]}" if lone else ""
    return Fault(path, "no-verb", f"an action needs a verb: one of {known}", hint)


def strangers(
    step: Mapping[str, Any], word: str, path: Path, language: Language
) -> Iterator[Fault]:
    """The keys of a step that don't belong beside its *word*."""
    verb = language.verbs.get(word)
    if verb is not None:
        beside = BESIDE_ACTIONS | verb.beside
    else:
        beside = language.controls[word].beside | controls()[word].adds
    for key in step:
        if key == word or key in beside or key in BESIDE_ALL:
            continue
        if owners := language.owners.get(key):  # what nobody owns the schema has refused
            *most, last = owners
            listed = f"{', '.join(most)} or {last}" if most else last
            message = f"'{key}' stands beside {listed} only"
            yield Fault((*path, key), "unknown-key", message, at_key=True)
