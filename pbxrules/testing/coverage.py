"""What of the rules came into play: which fired, and which of their branches were taken."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pbxrules.errors import Location
from pbxrules.memory import Whole
from pbxrules.model import (
    Choose,
    Condition,
    Deed,
    Facts,
    If,
    Miss,
    Node,
    Program,
    Repeat,
    Rule,
    WaitFor,
)
from pbxrules.rules import RuleSet
from pbxrules.walking import FINALLY

Key = tuple[str, str, str]
"""A rule, a step of it, and a way that it may go: ``holds``, ``fails``, ``came``, ``late``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A way that a rule may go."""

    rule: str
    where: Location
    """Of the rule."""
    path: str
    """Of the step, as ``events`` shows it: ``actions/1``."""
    way: str
    lacking: str
    """What is so if it was never taken."""

    @property
    def key(self) -> Key:
        """What it is noted by."""
        return self.rule, self.path, self.way


class Coverage:
    """What came into play of one rule set; it is the same over all of its cases."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._taken: set[Key] = set()
        self._fired: set[str] = set()
        self.rules = ruleset.rules
        rules = tuple(self._watched(rule) for rule in ruleset.rules)
        self.ruleset = replace(ruleset, rules=rules, by_id={rule.id: rule for rule in rules})
        """The rules, with conditions that say what came of them."""
        self.branches = tuple(branch for rule in ruleset.rules for branch in _branches(rule))

    @property
    def never_fired(self) -> list[Rule]:
        """The rules that did not."""
        return [rule for rule in self.rules if rule.id not in self._fired]

    @property
    def never_taken(self) -> list[Branch]:
        """The branches that were not, of rules that fired."""
        left = [branch for branch in self.branches if branch.key not in self._taken]
        return [branch for branch in left if branch.rule in self._fired]

    @property
    def taken(self) -> int:
        """How many branches were."""
        return sum(branch.key in self._taken for branch in self.branches)

    # --- what is noted -----------------------------------------------------------------------

    def fired(self, rule: str) -> None:
        """A run of it started."""
        self._fired.add(rule)

    def timed_out(self, whole: Whole) -> None:
        """Nothing came for its ``wait_for``."""
        self._taken.add((whole.run.rule, whole.run.position, "late"))

    def moved(self, before: Whole | None, after: Whole) -> None:
        """A run went on."""
        run = after.run
        if run.outcome and run.begun and not run.parent:
            self._taken.add((run.rule, FINALLY, "reached"))
        if before is None or before.run.mark == run.mark or not run.mark:
            return
        # An event satisfied a wait_for: the one at which it rested, or one later on.
        if before.run.verb == "wait_for":
            self._taken.add((run.rule, before.run.position, "came"))
        for arrived in before.run.inbox:
            if arrived.id == run.mark:
                self._taken.update((run.rule, path, "came") for path in arrived.wanted)

    # --- rules that are watched --------------------------------------------------------------

    def _watched(self, rule: Rule) -> Rule:
        program = rule.program
        nodes = {path: self._watched_node(rule.id, node) for path, node in program.nodes.items()}
        watched: Program = replace(program, nodes=nodes)
        return replace(rule, program=watched)

    def _watched_node(self, rule: str, node: Node) -> Node:
        deed: Deed
        match node.deed:
            case If() as branch:
                deed = replace(branch, condition=self._noted(branch.condition, rule, node.path))
            case Choose() as choose:
                branches = tuple(
                    (self._noted(condition, rule, f"{node.path}/{place}"), path)
                    for place, (condition, path) in enumerate(choose.branches)
                )
                deed = replace(choose, branches=branches)
            case Repeat(before=before, after=after) as loop:
                deed = replace(
                    loop,
                    before=before and self._noted(before, rule, node.path),
                    after=after and self._noted(after, rule, node.path),
                )
            case _:
                return node
        return replace(node, deed=deed)

    def _noted(self, condition: Condition, rule: str, path: str) -> Condition:
        return _Noted(condition, self._taken, (rule, path, "holds"), (rule, path, "fails"))


@dataclass(frozen=True, slots=True)
class _Noted:
    """A condition of which is noted whether it held."""

    inner: Condition
    taken: set[Key]
    when_true: Key
    when_false: Key

    @property
    def says(self) -> str:
        return self.inner.says

    @property
    def parts(self) -> tuple[Condition, ...]:
        return self.inner.parts

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        return self.inner.misses(facts, wanted=wanted)

    def holds(self, facts: Facts) -> bool:
        holds = self.inner.holds(facts)
        self.taken.add(self.when_true if holds else self.when_false)
        return holds


def _branches(rule: Rule) -> Iterator[Branch]:
    for path, node in rule.program.nodes.items():
        for at, way, lacking in _ways(path, node):
            yield Branch(rule=rule.id, where=rule.where, path=at, way=way, lacking=lacking)
    if FINALLY in rule.program.nodes:
        yield Branch(
            rule=rule.id, where=rule.where, path=FINALLY, way="reached",
            lacking="'finally' was never reached",
        )  # fmt: skip


def _ways(path: str, node: Node) -> Iterator[tuple[str, str, str]]:
    """The ways that a step may go: where, which, and what is so if it never did."""
    match node.deed:
        case If():
            yield path, "holds", "its 'if' never held"
            yield path, "fails", "its 'if' always held"
        case Choose(branches=branches) if branches:  # a script is one without
            for place in range(len(branches)):
                yield f"{path}/{place}", "holds", f"branch {place + 1} of its 'choose' never held"
            last = f"{path}/{len(branches) - 1}"
            yield last, "fails", "one branch of its 'choose' always held"
        case Repeat(before=before, after=after):
            if before is not None:
                yield path, "holds", "its 'repeat' never had a round"
            if after is not None:
                yield path, "fails", "its 'repeat' never had a second round"
        case WaitFor():
            yield path, "came", "what its 'wait_for' waits for never came"
            yield path, "late", "its 'wait_for' was never over without that"


def percent(coverages: Mapping[str, Coverage]) -> float:
    """How many of all rules and branches came into play, of a hundred."""
    of = coverages.values()
    everything = sum(len(one.rules) + len(one.branches) for one in of)
    done = sum(len(one.rules) - len(one.never_fired) + one.taken for one in of)
    return 100.0 * done / everything if everything else 100.0
