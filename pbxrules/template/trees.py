"""JSON values whose texts are templates: payloads, argument lists, headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pbxrules.template.compiling import checked, is_plain
from pbxrules.template.names import Names
from pbxrules.template.parts import Evaluate
from pbxrules.template.problems import Path, TemplateError, TemplateProblem
from pbxrules.template.values import Context, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A JSON value whose texts are checked templates; its keys are none."""

    is_literal: bool
    """There is no ``{{ }}`` in it."""
    uses: frozenset[str]
    """The names it refers to, such as ``{"caller", "vars.lamps", "secret.ntfy"}``."""
    _evaluate: Evaluate = field(repr=False, compare=False)

    def render(self, scope: Scope) -> Any:
        """The value filled in from *scope*; what holds no template is shared, not copied.

        Raises:
            RenderError: A template in it can't be filled in.
        """
        return self._evaluate(scope)


def compile_tree(value: Any, context: Context, names: Names) -> Tree:
    """*value*, what JSON has, with its texts as templates for *context*.

    Raises:
        TemplateError: All that is wrong with them; each problem's path says where.
    """
    builder = _Builder(context, names)
    evaluate = builder.node(value, ())
    if builder.problems:
        raise TemplateError(builder.problems)
    return Tree(
        is_literal=evaluate is None,
        uses=_shared(frozenset(builder.uses)),
        _evaluate=evaluate or _Literal(value),
    )


@lru_cache(maxsize=1024)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """*names*, kept once: most rules use the same few, or none."""
    return names


@dataclass(frozen=True, slots=True)
class _Literal:
    """Nothing to fill in; a fifth of what a function would take, for each argument of a rule."""

    value: Any

    def __call__(self, _: Scope) -> Any:
        return self.value


class _Builder:
    def __init__(self, context: Context, names: Names) -> None:
        self.problems: list[TemplateProblem] = []
        self.uses: set[str] = set()
        self._context = context
        self._names = names

    def node(self, value: Any, path: Path) -> Evaluate | None:
        """What fills *value* in; None where there is nothing to fill in."""
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, Mapping):
            return self._map(value, path)
        if isinstance(value, list | tuple):
            return self._list(value, path)
        return None

    def _text(self, source: str, path: Path) -> Evaluate | None:
        if is_plain(source, self._context):
            return None
        problems, template = checked(source, self._context, self._names)
        self.problems += [
            TemplateProblem(path, one.offset, one.code, one.message, one.hint) for one in problems
        ]
        if template is None:
            return None
        self.uses |= template.uses
        # A text with nothing but a comment is a literal, too, but not its own source.
        return None if template.is_literal and "{" not in source else template.render

    def _map(self, value: Mapping[str, Any], path: Path) -> Evaluate | None:
        filled = {key: self.node(inner, (*path, key)) for key, inner in value.items()}
        blanks = [(key, evaluate) for key, evaluate in filled.items() if evaluate]
        if not blanks:
            return None

        def evaluate(scope: Scope) -> dict[str, Any]:
            copy = dict(value)
            for key, blank in blanks:
                copy[key] = blank(scope)
            return copy

        return evaluate

    def _list(self, value: list[Any] | tuple[Any, ...], path: Path) -> Evaluate | None:
        filled = [self.node(inner, (*path, index)) for index, inner in enumerate(value)]
        blanks = [(index, evaluate) for index, evaluate in enumerate(filled) if evaluate]
        if not blanks:
            return None

        def evaluate(scope: Scope) -> list[Any]:
            copy = list(value)
            for index, blank in blanks:
                copy[index] = blank(scope)
            return copy

        return evaluate
