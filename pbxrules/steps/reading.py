"""A rule's steps, read from its JSON, with all that is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.conditions.reading import Reader
from pbxrules.errors import Fault
from pbxrules.model import NOTHING, Condition, Deed, Node
from pbxrules.schema import Path
from pbxrules.steps import actions
from pbxrules.steps.controls import controls, found, spelled, value_at
from pbxrules.steps.results import Broken, registered
from pbxrules.steps.words import Only, not_one, strangers, words_of
from pbxrules.template import (
    Context,
    Names,
    RuleVars,
    TemplateError,
    Tree,
    compile_tree,
    rule_vars,
    template_fault,
)

FINALLY = "finally"
DEEPEST = 10
"""Lists of steps inside one another, those of scripts included."""
Results = Mapping[str, frozenset[str] | None]
"""The results that are known, and the members of each; None: nobody says which."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What was made of a program's steps so far."""

    nodes: dict[str, Node] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    """Of the steps in the order in which they stand, also of such as have no node."""
    broken: bool = False
    """There was a step of which something wrong was told already."""

    def in_order(self) -> dict[str, Node]:
        """The nodes in the order in which the steps stand."""
        return {path: self.nodes[path] for path in self.paths if path in self.nodes}


class Steps:
    """Reads lists of steps that see the same variables."""

    def __init__(
        self,
        *,
        gathered: Gathered,
        reader: Reader,
        expires: str,
        elsewhere: Mapping[str, str] = NOTHING,
        variables: RuleVars | None = None,
        depth: int = 0,
    ) -> None:
        """Begin.

        Args:
            gathered: Takes what is made of them.
            reader: Of their conditions and templates.
            expires: The ``expires`` of actions that say none.
            elsewhere: Names that are known in other places only, and where.
            variables: Those of the script that they are; None: the program's.
            depth: In how many lists they stand.
        """
        self.gathered = gathered
        self.reader = reader
        self.language = reader.language
        self.expires = expires
        self.variables = variables
        self.results: Results = {}
        self.only: Only | None = None
        """What may stand here, if not everything."""
        self._elsewhere = elsewhere
        self._depth = depth
        self._withheld: Mapping[str, frozenset[str]] = {}
        self._names: Names | None = None

    @property
    def in_finally(self) -> bool:
        """Whether these are steps of ``finally``."""
        return self.only is not None and self.only.where == FINALLY

    # --- what is read ------------------------------------------------------------------------

    def read(self, value: Any, path: Path, owner: str = "") -> str:
        """Read a list of steps of the step *owner*; the path of its first, ``""`` without one."""
        listed = value if isinstance(value, list) else []
        if listed and self._depth >= DEEPEST:
            message = f"more than {DEEPEST} lists of actions inside one another"
            self.fault(path, "too-deep", message, "put a part of it into a rule of its own")
            return ""
        self._depth += 1
        for place, step in enumerate(listed):
            after = spelled((*path, place + 1)) if place + 1 < len(listed) else ""
            self.read_one(step, (*path, place), after=after, owner=owner)
        self._depth -= 1
        return spelled((*path, 0)) if listed else ""

    def read_aside(self, value: list[Any], path: Path, owner: str) -> tuple[str, ...]:
        """Read actions that are done side by side: none sees the results of another."""
        around, self.only = self.only, Only(where="parallel")
        before, after = self.results, self.results
        for place, step in enumerate(value):
            self.results, self._names = before, None
            self.read_one(step, (*path, place), after="", owner=owner)
            told = {
                name: known for name, known in self.results.items() if known != before.get(name)
            }
            after = {**after, **{name: _either(after, name, known) for name, known in told.items()}}
        self.results, self._names, self.only = after, None, around
        return tuple(spelled((*path, place)) for place in range(len(value)))

    def read_script(
        self, value: list[Any], given: Mapping[str, Any], path: Path, owner: str
    ) -> str:
        """Read a script that was put in, as a list of steps; it sees nothing but *given*."""
        outer = self.reader
        reader = Reader(
            language=outer.language,
            declared=outer.declared,
            rule=outer.rule,
            variables=given,
            usable=outer.usable,
        )
        reader.faults = outer.faults
        inner = Steps(
            gathered=self.gathered,
            reader=reader,
            expires=self.expires,
            elsewhere=self._elsewhere,
            variables=rule_vars(given),
            depth=self._depth,
        )
        first = inner.read(value, path, owner)
        for name, members in inner.results.items():
            self.know(name, members)
        outer.used.take(reader.used)
        return first

    def read_one(self, step: Any, path: Path, *, after: str, owner: str) -> None:
        """Read one step, with the path of the one behind it."""
        here = spelled(path)
        self.gathered.paths.append(here)
        if isinstance(step, Broken):
            self.gathered.broken = True
            self._look_into(step.step, path)
            for name in registered([step]):
                self.know(name, None)
            return
        deed = self._deed(step, path)
        if deed is not None:
            self.gathered.nodes[here] = Node(path=here, deed=deed, after=after, owner=owner)

    def _look_into(self, step: Mapping[str, Any], path: Path) -> None:
        """Note what is wrong in the parts of a step that is wrong itself."""
        words = words_of(step, self.language)
        if len(words) == 1:
            self.reader.faults += strangers(step, words[0], path, self.language)
        for at in found(step, "conditions"):
            self.condition(value_at(step, at), (*path, *at))
        for at in found(step, "tests"):
            self.reader.read_tests(value_at(step, at), (*path, *at), str(at[-1]))
        for at in found(step, "lists"):
            self.read(value_at(step, at), (*path, *at), spelled(path))

    def _deed(self, step: Mapping[str, Any], path: Path) -> Deed | None:
        words = words_of(step, self.language)
        if len(words) != 1:
            self.reader.faults.append(not_one(step, words, path, self.language))
            self._look_into(step, path)
            return None
        (word,) = words
        self.reader.faults += strangers(step, word, path, self.language)
        verb = self.language.verbs.get(word)
        if verb is not None:
            return actions.read(verb, step, path, self)
        if self.only is not None and word not in self.only.controls:
            self.reader.faults.append(self.only.fault(word, path))
            return None
        return controls()[word].read(step, path, self)

    # --- what the modules of this folder ask for -----------------------------------------------

    def fault(
        self, path: Path, code: str, message: str, hint: str = "", *, at_key: bool = False
    ) -> None:
        """Note what is wrong."""
        self.reader.faults.append(Fault(path, code, message, hint, at_key=at_key))

    def condition(self, value: Any, path: Path) -> Condition | None:
        """The condition, or conditions, at *path*; None where something is wrong with all."""
        self.reader.names = self.names
        return self.reader.read_conditions(value, path)

    def tree(self, value: Any, context: Context, path: Path) -> Tree | None:
        """The templates at *path*; None where something is wrong with them."""
        try:
            tree = compile_tree(value, context, self.names)
        except TemplateError as exc:
            self.reader.faults += [template_fault(problem, path) for problem in exc.problems]
            return None
        self.reader.used.names |= tree.uses
        return tree

    def kept_tree(self, value: Any, context: Context, path: Path) -> Tree | None:
        """As ``tree``, of what is kept on disk: there are no secrets in it."""
        tree = self.tree(value, context, path)
        if tree is None or not any(name.startswith("secret.") for name in tree.uses):
            return tree
        message = "a secret can't stand in what is kept on disk"
        self.fault(path, "kept-secret", message, "only actions are given secrets")
        return None

    @property
    def names(self) -> Names:
        """What templates may name here."""
        if self._names is None:
            reader = self.reader
            self._names = self.language.names(
                reader.variables,
                payload=reader.payload,
                state=reader.declared.state,
                results=self.results,
                elsewhere=self._elsewhere,
                withheld=self._withheld,
            )
        return self._names

    def register(
        self,
        step: Mapping[str, Any],
        path: Path,
        members: frozenset[str],
        withheld: frozenset[str] = frozenset(),
    ) -> str:
        """The name of the step's result, from now on known with these *members*.

        Those *withheld* it would have if no secret had been told.
        """
        name: str = step.get("register", "")
        if name and not self._is_taken(name):
            self._withheld = {**self._withheld, name: withheld}
            self.know(name, members)
        elif name:
            message = f"'{name}' is a name of templates already"
            self.fault((*path, "register"), "taken-name", message, "take another")
        return name

    def _is_taken(self, name: str) -> bool:
        known = {*self.language.fields, *self.language.names(None).members}
        return name in known or name in ("fields", "payload", "outcome")

    def know(self, name: str, members: frozenset[str] | None) -> None:
        """Have a result known; one of the same name may have been there."""
        self.results = {**self.results, name: _either(self.results, name, members)}
        self._names = None


def _either(known: Results, name: str, members: frozenset[str] | None) -> frozenset[str] | None:
    """The members of a result that may be one or the other of the same name."""
    before = known.get(name, frozenset())
    return None if before is None or members is None else before | members
