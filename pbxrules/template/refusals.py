"""What Jinja2 has and templates here do not: what each is called, and what to do instead."""

from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from pbxrules.template.filters import FILTERS
from pbxrules.template.parts import Evaluate
from pbxrules.template.syntax import Compiler, nothing

_SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "Mul": ("*", "there are + - / // %"),
    "Pow": ("**", "there are + - / // %"),
    "Concat": ("~", "write '+', with '| string' behind what is no text"),
    "Pos": ("+", "leave the sign out"),
    "Tuple": (",", "write a list: [a, b]"),
}
"""Name of the node class to its sign and what to do."""
_CALLS: Final[Mapping[str, str]] = {
    "startswith": "compare the beginning, as in caller[:3] == '+49'",
    "endswith": "compare the end, as in caller[-2:] == '99'",
    "get": "write .name, and '| default(…)' behind it",
    "strip": "write '| trim'",
    "split": "cut with [a:b], or use the test 'in'",
    "format": "write {{ … }} beside each other",
    "states": "write state.name, and declare it under 'state:'",
    "is_state": "write state.name == '…', and declare it under 'state:'",
    "now": "write 'now', or a condition 'time:'",
    "range": "templates have no loops",
}
"""What people call elsewhere, to what to do."""


def refused(compiler: Compiler, node: nodes.Node) -> Evaluate:
    """Note that *node* is refused, and whatever is wrong inside it."""
    children = list(node.iter_child_nodes())
    if isinstance(node, nodes.Call):
        name = _called(node.node)
        hint = _CALLS.get(name) or (f"write '| {name}'" if name in FILTERS else "")
        why = f"{name}(…) is a call, and templates have none"
        compiler.refuse(node, why, hint or "filters change a value: '| lower'", word=name)
        children[:1] = [node.node.node] if isinstance(node.node, nodes.Getattr) else []
    else:
        name = type(node).__name__
        sign, hint = _SIGNS.get(name, (name, ""))
        compiler.refuse(node, f"'{sign}' is not there in templates", hint, word=sign)
    for child in children:
        if isinstance(child, nodes.Expr):
            compiler.compiled(child)
    return nothing


def _called(node: nodes.Node) -> str:
    match node:
        case nodes.Getattr():
            return node.attr
        case nodes.Name():
            return node.name
        case _:
            return "…"
