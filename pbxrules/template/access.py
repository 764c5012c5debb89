"""Names, members, entries and literals: what gives expressions their values."""

import math
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final

from jinja2 import nodes

from pbxrules.template.operators import item, member, part
from pbxrules.template.parts import Evaluate
from pbxrules.template.syntax import Compiler, NodeCompiler, nothing, spelled
from pbxrules.template.values import LARGEST, Absent, Context, RenderError, RuleText, Scope

_MAPS: Final[Mapping[str, Evaluate]] = {
    "fields": attrgetter("fields"),
    "payload": attrgetter("payload"),
    "vars": attrgetter("vars"),
    "secret": attrgetter("secrets"),
}


def _constant(compiler: Compiler, node: nodes.Const) -> Evaluate:
    value = node.value
    if isinstance(value, str):
        text = RuleText(value)
        return lambda _: text
    if isinstance(value, int | float) and not (abs(value) < LARGEST and math.isfinite(value)):
        compiler.refuse(node, "a number is too large")
    return lambda _: value


def _name(compiler: Compiler, node: nodes.Name) -> Evaluate:
    compiler.refer(node)
    if node.name == "secret":
        compiler.refuse(node, "'secret' needs a name", "write secret.name", word="secret")
    return _MAPS.get(node.name) or _named(node.name)


def _named(name: str) -> Evaluate:
    absent = Absent(name)

    def evaluate(scope: Scope) -> object:
        value = scope.fields.get(name, absent)
        return scope.extras.get(name, absent) if value is absent else value

    return evaluate


def value_of(name: str, scope: Scope) -> object:
    """What *name*, as ``Template.uses`` has it, stands for; None where it is absent."""
    first, *members = name.split(".")
    value = (_MAPS.get(first) or _named(first))(scope)
    for key in members:
        value = member(value, key, Absent(name))
    return None if isinstance(value, Absent) else value


def _attribute(compiler: Compiler, node: nodes.Getattr) -> Evaluate:
    return _member(compiler, node, node.node, node.attr)


def _item(compiler: Compiler, node: nodes.Getitem) -> Evaluate:
    if isinstance(node.arg, nodes.Slice):
        return _slice(compiler, node.node, node.arg)
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return _member(compiler, node, node.node, node.arg.value)
    value, index = compiler.compiled(node.node), compiler.compiled(node.arg)
    absent = Absent(spelled(node))
    return lambda scope: item(value(scope), index(scope), absent)


def _member(compiler: Compiler, node: nodes.Expr, of: nodes.Expr, key: str) -> Evaluate:
    absent = Absent(spelled(node))
    if not isinstance(of, nodes.Name):
        way = _way(node)
        if way is not None:
            compiler.refer(way[0], *way[1])
        value = compiler.compiled(of)
        return lambda scope: member(value(scope), key, absent)
    if of.name == "secret" and compiler.context is Context.CONDITION:
        compiler.refuse(of, "a condition is given no secrets", "actions are", word="secret")
        return nothing
    compiler.refer(of, key)
    root = _MAPS.get(of.name)
    if root is not None:
        return lambda scope: root(scope).get(key, absent)
    named = _named(of.name)
    return lambda scope: member(named(scope), key, absent)


def _way(node: nodes.Node) -> tuple[nodes.Name, tuple[str, ...]] | None:
    """The name that *node* is a part of, and the members on the way to it, all written out."""
    match node:
        case nodes.Name():
            return node, ()
        case nodes.Getattr(node=of, attr=str() as key):
            pass
        case nodes.Getitem(node=of, arg=nodes.Const(value=str() as key)):
            pass
        case _:
            return None
    way = _way(of)
    return None if way is None else (way[0], (*way[1], key))


def _slice(compiler: Compiler, of: nodes.Expr, cut: nodes.Slice) -> Evaluate:
    if cut.step is not None:
        compiler.refuse(cut, "[a:b:c] is not there", "[a:b] is", word=":")
    value = compiler.compiled(of)
    start = compiler.compiled(cut.start) if cut.start else nothing
    stop = compiler.compiled(cut.stop) if cut.stop else nothing
    return lambda scope: part(value(scope), start(scope), stop(scope))


def _list(compiler: Compiler, node: nodes.List) -> Evaluate:
    entries = [compiler.compiled(entry) for entry in node.items]
    filled = _filling(compiler.context)
    return lambda scope: filled([entry(scope) for entry in entries])


def _map(compiler: Compiler, node: nodes.Dict) -> Evaluate:
    keys = [compiler.compiled(pair.key) for pair in node.items]
    values = [compiler.compiled(pair.value) for pair in node.items]
    filled = _filling(compiler.context)

    def evaluate(scope: Scope) -> object:
        names = [key(scope) for key in keys]
        if not all(isinstance(name, str) for name in names):
            raise RenderError("the keys of a map are text")
        found = filled([value(scope) for value in values])
        return dict(zip(names, found, strict=True)) if isinstance(found, list) else found

    return evaluate


def _filling(context: Context) -> Callable[[list[object]], object]:
    """What a list with absent entries is: absent in a topic and its like, else with nulls."""
    if context.strict:
        return lambda values: next((one for one in values if isinstance(one, Absent)), values)
    return lambda values: [None if isinstance(one, Absent) else one for one in values]


ACCESS: Final[Mapping[str, NodeCompiler]] = {
    "Const": _constant,
    "Name": _name,
    "Getattr": _attribute,
    "Getitem": _item,
    "List": _list,
    "Dict": _map,
}
"""By the name of Jinja2's node class."""
