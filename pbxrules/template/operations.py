"""Operators, filters and tests inside expressions."""

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Signature, signature
from typing import Final, cast

from jinja2 import nodes

from pbxrules.errors import did_you_mean
from pbxrules.template.filters import FILTERS, OTHER_FILTERS
from pbxrules.template.operators import COMPARISONS, SIGNS, add, negative
from pbxrules.template.parts import Evaluate
from pbxrules.template.predicates import OTHER_TESTS, TESTS
from pbxrules.template.syntax import Compiler, NodeCompiler, nothing
from pbxrules.template.values import Absent, Context, Scope, bounded, unmarked


def _binary(compiler: Compiler, node: nodes.BinExpr) -> Evaluate:
    sign = type(node).__name__
    apply = add if sign == "Add" and not compiler.context.strict else SIGNS[sign]
    left, right = compiler.compiled(node.left), compiler.compiled(node.right)
    return lambda scope: apply(left(scope), right(scope))


def _negative(compiler: Compiler, node: nodes.Neg) -> Evaluate:
    value = compiler.compiled(node.node)
    return lambda scope: negative(value(scope))


def _not(compiler: Compiler, node: nodes.Not) -> Evaluate:
    value = compiler.compiled(node.node)
    return lambda scope: not value(scope)


def _and(compiler: Compiler, node: nodes.And) -> Evaluate:
    left, right = compiler.compiled(node.left), compiler.compiled(node.right)
    return lambda scope: unmarked(left(scope) and right(scope))


def _or(compiler: Compiler, node: nodes.Or) -> Evaluate:
    left, right = compiler.compiled(node.left), compiler.compiled(node.right)
    return lambda scope: unmarked(left(scope) or right(scope))


def _conditional(compiler: Compiler, node: nodes.CondExpr) -> Evaluate:
    test, then = compiler.compiled(node.test), compiler.compiled(node.expr1)
    absent = Absent("what 'if' without 'else' gives")
    other = compiler.compiled(node.expr2) if node.expr2 else lambda _: absent
    return lambda scope: then(scope) if test(scope) else other(scope)


def _comparison(compiler: Compiler, node: nodes.Compare) -> Evaluate:
    first = compiler.compiled(node.expr)
    rest = [(COMPARISONS[one.op], compiler.compiled(one.expr)) for one in node.ops]
    if len(rest) == 1:
        compare, second = rest[0]
        return lambda scope: compare(first(scope), second(scope))

    def chained(scope: Scope) -> bool:
        left = first(scope)
        for compare, operand in rest:
            right = operand(scope)
            if not compare(left, right):
                return False
            left = right
        return True

    return chained


def _filter(compiler: Compiler, node: nodes.Filter) -> Evaluate:
    value, arguments = _operands(compiler, node)
    spec = FILTERS.get(node.name)
    if spec is None:
        _unknown(compiler, node, "filter", FILTERS, OTHER_FILTERS)
        return nothing
    if node.name == "urlencode" and compiler.context is Context.URL:
        why = "what stands in a URL is encoded by itself"
        compiler.refuse(node, why, "leave '| urlencode' out", word=node.name)
    _check_arguments(compiler, node, spec.function)
    in_text = spec.absent == "taken in text" and not compiler.context.strict
    if spec.absent == "taken" or in_text:
        return _applied(spec.function, value, arguments)
    return _applied_to_present(spec.function, value, arguments)


class _Arguments:
    """The arguments of a filter or test, not yet evaluated."""

    def __init__(self, positional: list[Evaluate], named: dict[str, Evaluate]) -> None:
        self.positional = positional
        self.named = named

    def evaluated(self, scope: Scope) -> tuple[list[object], dict[str, object]]:
        named = {name: value(scope) for name, value in self.named.items()}
        return [value(scope) for value in self.positional], named


def _applied(function: Callable[..., object], value: Evaluate, arguments: _Arguments) -> Evaluate:
    def evaluate(scope: Scope) -> object:
        positional, named = arguments.evaluated(scope)
        return _made(function(value(scope), *positional, **named))

    return evaluate


def _applied_to_present(
    function: Callable[..., object], value: Evaluate, arguments: _Arguments
) -> Evaluate:
    def evaluate(scope: Scope) -> object:
        given = value(scope)
        positional, named = arguments.evaluated(scope)
        for operand in (given, *positional, *named.values()):
            if isinstance(operand, Absent):
                return operand
        return _made(function(given, *positional, **named))

    return evaluate


def _made(value: object) -> object:
    return bounded(str(value)) if isinstance(value, str) else value


def _test(compiler: Compiler, node: nodes.Test) -> Evaluate:
    value, arguments = _operands(compiler, node)
    spec = TESTS.get(node.name)
    if spec is None:
        _unknown(compiler, node, "test", TESTS, OTHER_TESTS)
        return nothing
    _check_arguments(compiler, node, spec.function)
    return _applied(spec.function, value, arguments)


def _operands(compiler: Compiler, node: nodes.Filter | nodes.Test) -> tuple[Evaluate, _Arguments]:
    if node.dyn_args or node.dyn_kwargs:
        compiler.refuse(node, "'*' before arguments is not there", word="*")
    value = compiler.compiled(node.node) if node.node else nothing
    positional = [compiler.compiled(one) for one in node.args or ()]
    named = {one.key: compiler.compiled(one.value) for one in _pairs(node)}
    return value, _Arguments(positional, named)


def _pairs(node: nodes.Filter | nodes.Test) -> list[nodes.Keyword]:
    # Jinja2's annotation says Pair; its parser makes Keyword.
    return cast("list[nodes.Keyword]", node.kwargs or [])


def _check_arguments(
    compiler: Compiler, node: nodes.Filter | nodes.Test, function: Callable[..., object]
) -> None:
    names = dict.fromkeys(one.key for one in _pairs(node))
    try:
        _signature(function).bind(None, *(node.args or ()), **names)
    except TypeError as exc:
        compiler.note(node, "template-refused", f"'{node.name}': {exc}", word=node.name)


@cache
def _signature(function: Callable[..., object]) -> Signature:
    return signature(function)


def _unknown(
    compiler: Compiler,
    node: nodes.Filter | nodes.Test,
    what: str,
    known: Mapping[str, object],
    others: Mapping[str, str],
) -> None:
    hint = others.get(node.name) or did_you_mean(node.name, known)
    compiler.note(
        node,
        f"unknown-{what}",
        f"there is no {what} '{node.name}'",
        hint or f"there are {', '.join(known)}",
        word=node.name,
    )


OPERATIONS: Final[Mapping[str, NodeCompiler]] = {
    **dict.fromkeys(("Add", "Sub", "Div", "FloorDiv", "Mod"), _binary),
    "Neg": _negative,
    "Not": _not,
    "And": _and,
    "Or": _or,
    "CondExpr": _conditional,
    "Compare": _comparison,
    "Filter": _filter,
    "Test": _test,
}
"""By the name of Jinja2's node class."""
