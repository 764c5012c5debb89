"""The walk over Jinja2's syntax tree, which becomes Python closures.

Jinja2 itself would compile a template to Python in about 1 ms, 10 s for 10,000 rules, and
lose which text is the author's.  Here a kind of node is either in a table or refused: there
is no way to run what is not in it, so there is nothing for a sandbox to keep out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import nodes

from pbxrules.template.names import Reference
from pbxrules.template.parts import Evaluate
from pbxrules.template.problems import Finding
from pbxrules.template.values import Context, Scope

NodeCompiler = Callable[["Compiler", Any], Evaluate]
DEEPEST: Final = 100
"""Nodes inside each other; each takes up to two Python frames when it is evaluated."""


class Compiler:
    """Compiles the expressions of one template, and notes all that is wrong with them."""

    def __init__(
        self, context: Context, table: Mapping[str, NodeCompiler], otherwise: NodeCompiler
    ) -> None:
        """Compile for *context* by *table* (names of Jinja2's node classes), else *otherwise*."""
        self.context = context
        self.findings: list[Finding] = []
        self.references: list[Reference] = []
        self._table = table
        self._otherwise = otherwise
        self._depth = 0

    def compiled(self, node: nodes.Node) -> Evaluate:
        """What *node* evaluates to in a scope; of no use where a finding was noted.

        Raises:
            RecursionError: It is nested over ``DEEPEST``.
        """
        self._depth += 1
        if self._depth > DEEPEST:
            raise RecursionError
        evaluate = self._table.get(type(node).__name__, self._otherwise)(self, node)
        self._depth -= 1
        return evaluate

    def refuse(self, node: nodes.Node, message: str, hint: str = "", *, word: str = "") -> None:
        """Note that *node*, at *word*, is refused."""
        self.note(node, "template-refused", message, hint, word=word)

    def note(
        self, node: nodes.Node, code: str, message: str, hint: str = "", *, word: str = ""
    ) -> None:
        """Note a finding about *node*, at *word*."""
        self.findings.append(
            Finding(code=code, message=message, hint=hint, word=word, line=node.lineno)
        )

    def refer(self, node: nodes.Name, *path: str) -> None:
        """Note that the template uses *node*, or what *path* leads to in it."""
        self.references.append(Reference(name=node.name, path=path, line=node.lineno))


def nothing(_: Scope) -> None:
    """Null: where something is left out, or refused."""


def spelled(node: nodes.Node) -> str:
    """About how *node* stands in the template: what messages call an absent value."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{spelled(node.node)}.{node.attr}"
        case nodes.Getitem():
            return f"{spelled(node.node)}[{spelled(node.arg)}]"
        case nodes.Filter(node=nodes.Node() as inner):
            return f"{spelled(inner)} | {node.name}"
        case nodes.Const(value=str() | int() | float() as value):
            return repr(value)
        case _:
            return "…"
