"""Why rules fire for an event, for people: a tree for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING

from pbxrules.casebook import shown
from pbxrules.explaining.explanation import Explanation, Then
from pbxrules.explaining.gates import BEGINS, waits
from pbxrules.explaining.nodes import Node
from pbxrules.explaining.trees import RuleTree
from pbxrules.hints import example
from pbxrules.showing import fields_text
from pbxrules.timewords import told

if TYPE_CHECKING:
    from rich.console import Console

Pieces = list[tuple[str, str]]
"""A line, as texts with their styles."""
MARKS = {True: ("✓ ", "green"), False: ("✗ ", "red"), None: ("? ", "yellow")}
WAITS = ("… ", "yellow")
NEAREST = 3
"""Rules that do not fire and are shown whole, unless all are asked for."""
NAMED = 10
"""Of the rest so many are named."""
VALUE = 80
"""Characters of a value that was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What of an explanation is printed, and how."""

    zone: tzinfo
    all: bool = False
    """Every rule, and not only the nearest ones."""

    def show(self, explanation: Explanation, console: "Console") -> None:
        """Print it."""
        from rich.text import Text

        for line in self.lines(explanation):
            console.print(
                Text.assemble(*((shown(text), style) for text, style in line)), soft_wrap=True
            )

    def lines(self, explanation: Explanation) -> Iterator[Pieces]:
        """It, line by line."""
        yield from self._head(explanation)
        shown_whole, rest = self._chosen(explanation)
        for tree in shown_whole:
            yield [("", "")]
            yield from _rule(tree, explanation.then_of(tree.rule.id), explanation.changed(tree))
        for rule in explanation.gone():
            yield [("", "")]
            yield [
                ("! ", "bold yellow"),
                (rule, "bold"),
                (" is no rule today, or has enabled: false", ""),
            ]
            yield _then(explanation.then_of(rule), changed=True)
        if rest:
            yield [("", "")]
            yield _rest(rest)

    def _head(self, explanation: Explanation) -> Iterator[Pieces]:
        event, remembered = explanation.event, explanation.remembered
        name = f"event {explanation.id}, " if explanation.id else ""
        yield [
            (f"{name}{told(explanation.at_s, self.zone)}: ", "bold"),
            (f"{event.kind} ", "bold cyan"),
            (fields_text(event.fields), ""),
        ]
        if not remembered.needed:
            yield [("memory: these rules remember nothing", "dim")]
        elif remembered.since_s is None:
            yield [("memory: none, for no event is kept from before", "dim")]
        else:
            since = told(remembered.since_s, self.zone)
            events = (
                "1 event that is"
                if remembered.events == 1
                else f"{remembered.events:,} events that are"
            )
            yield [(f"memory: known from {since} on, by {events} kept", "dim")]
        for name, topic in remembered.topics.items():
            yield [
                (f"memory: state.{name} is unknown: nobody keeps the messages of {topic}", "dim")
            ]

    def _chosen(self, explanation: Explanation) -> tuple[Sequence[RuleTree], Sequence[RuleTree]]:
        """The rules that are shown whole, and the others."""
        if self.all:
            return explanation.trees, ()
        whole: list[RuleTree] = []
        rest: list[RuleTree] = []
        near = 0
        for tree in explanation.trees:
            fires = tree.fires or tree.waits
            worth = fires or explanation.changed(tree)
            if not worth and not tree.of_other_event and near < NEAREST:
                near += 1
                worth = True
            (whole if worth else rest).append(tree)
        return whole, rest


def _rule(tree: RuleTree, then: Then | None, changed: bool) -> Iterator[Pieces]:  # noqa: FBT001 - two words of one line
    yield _heading(tree)
    if then is not None:
        yield _then(then, changed=changed)
    for place, trigger in enumerate(tree.triggers):
        if len(tree.triggers) == 1 or place == tree.nearest or trigger.holds or not tree.fits:
            yield from _node(trigger, 1)
    if tree.condition is not None:
        yield from _node(tree.condition, 1)
    for gate in tree.gates:
        yield from _node(gate, 1)


def _heading(tree: RuleTree) -> Pieces:
    mark, style = WAITS if tree.waits else MARKS[tree.fires]
    says, why = " fires", ""
    if tree.waits:
        says = " ".join(["", "waits", *(_waits(gate) for gate in tree.gates if waits(gate))])
    elif not tree.fires:
        held = f"{len(tree.asked) - len(tree.missed)} of {len(tree.asked)}"
        says, why = f" does not fire ({held} hold)", f": {tree.why()}"
    return [
        (mark, style), (tree.rule.id, "bold"), (says, style), (why, ""),
        (f"  {tree.rule.where.file}:{tree.rule.where.line}", "dim"),
    ]  # fmt: skip


def _waits(gate: Node) -> str:
    """For how long, and whether it did so before."""
    return gate.says if gate.found == BEGINS else f"{gate.says} already"


def _then(then: Then | None, *, changed: bool) -> Pieces:
    assert then is not None
    waited = f"it waited {then.why.partition(' is ')[0]}"
    words = "it fired" if then.fired else waited if then.waited else then.why
    came_of_it = f"; {then.came_of_it}" if then.came_of_it else ""
    if not changed:
        return [("    then: ", "dim"), (words + came_of_it, "dim")]
    return [("  ! then: ", "bold yellow"), (words + came_of_it, "yellow")]


def _node(node: Node, depth: int) -> Iterator[Pieces]:
    mark, style = WAITS if waits(node) else MARKS[node.holds]
    line: Pieces = [("    " * depth, ""), (mark, style)]
    if node.kind == "trigger":
        line.append((f"trigger {node.says}" if node.parts else "trigger: any event", ""))
    elif node.holds is None:
        line.append((node.found or node.says, "yellow"))
    else:
        line += [(node.says, ""), (_found(node), "" if not node.holds else "dim")]
    if node.values:
        line.append((f"  ({_values(node)})", "dim"))
    yield line
    for part in node.parts:
        yield from _node(part, depth + 1)


def _found(node: Node) -> str:
    if not node.found or node.says.endswith(f" {node.found}"):
        return ""
    return f": {_cut(node.found)}"


def _values(node: Node) -> str:
    return ", ".join(f"{name} is {_value(value)}" for name, value in node.values.items())


def _value(value: object) -> str:
    text = "absent" if value is None else example(value)
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= VALUE else text[: VALUE - 1] + "…"


def _rest(rest: Sequence[RuleTree]) -> Pieces:
    names = ", ".join(tree.rule.id for tree in rest[:NAMED])
    more = f", and {len(rest) - NAMED:,} more" if len(rest) > NAMED else ""
    rules = "1 rule" if len(rest) == 1 else f"{len(rest):,} rules"
    return [(f"{rules} less near (--all shows them): ", "dim"), (names + more, "dim")]
