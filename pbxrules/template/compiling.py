"""Templates: checked once, when rules are loaded; filled in ever after."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from pbxrules.template.names import Names, Reference, uses
from pbxrules.template.outputs import findings, output
from pbxrules.template.parts import Evaluate, Parsed
from pbxrules.template.problems import Finding, TemplateError, TemplateProblem, Token, placed
from pbxrules.template.values import Context, RenderError, Scope

_CACHED: Final = 16_384
"""Different templates kept, so that a reload of 10,000 rules parses nothing again."""
_MARKS: Final = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A checked template."""

    source: str
    context: Context
    is_literal: bool
    """There is no ``{{ }}`` in it."""
    uses: frozenset[str]
    """The names it refers to, such as ``{"caller", "vars.lamps", "secret.ntfy"}``."""
    _evaluate: Evaluate = field(repr=False, compare=False)

    def render(self, scope: Scope) -> Any:
        """The template filled in from *scope*: text, true or false, or in VALUE what JSON has.

        Raises:
            RenderError: It can't be; the message holds no text of the call and no secret.
        """
        try:
            return self._evaluate(scope)
        except _FAILURES as exc:
            # Not 'from exc', whose message may quote a value.
            raise RenderError(_said(exc)) from None


_FAILURES: Final = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
"""What Python says of values that no check of ours foresaw."""


def _said(exc: BaseException) -> str:
    match exc:
        case ZeroDivisionError():
            return "division by zero"
        case ArithmeticError():
            return "a number is too large"
        case RecursionError():
            return "a value is nested too deeply"
        case _:
            return f"it can't be worked out ({type(exc).__name__})"


def compile_template(source: str, context: Context, names: Names) -> Template:
    """*source* as a template for *context*, which may use *names*.

    Raises:
        TemplateError: All that is wrong with it.
    """
    problems, template = checked(source, context, names)
    if template is None:
        raise TemplateError(problems)
    return template


def is_plain(source: str, context: Context) -> bool:
    """Whether *source* is its own value, and right in *context*: known without compiling it."""
    return "{" not in source and not findings((source,) if source else (), context)


def checked(
    source: str, context: Context, names: Names
) -> tuple[list[TemplateProblem], Template | None]:
    """All that is wrong with *source*, or else its template."""
    literal = "{" not in source or not any(mark in source for mark in _MARKS)
    compiled = _literal(source, context) if literal else _compiled(source, context)
    found = [*compiled.findings, *names.findings(compiled.references)]
    if not found:
        return [], compiled.template
    return placed(source, found, _tokens(source, literal=literal)), None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A template of which only the names were not yet checked."""

    template: Template | None = None
    references: tuple[Reference, ...] = ()
    findings: tuple[Finding, ...] = ()


def _literal(source: str, context: Context) -> _Compiled:
    return _built(source, context, Parsed(parts=(source,) if source else ()))


@lru_cache(maxsize=_CACHED)
def _compiled(source: str, context: Context) -> _Compiled:
    # jinja2 takes 40 ms and 9 MB to import: not for rules without templates.
    from pbxrules.template.parsing import parse

    return _built(source, context, parse(source, context))


def _built(source: str, context: Context, parsed: Parsed) -> _Compiled:
    wrong = parsed.findings or tuple(findings(parsed.parts, context))
    if wrong:
        return _Compiled(references=parsed.references, findings=wrong)
    texts = [part for part in parsed.parts if isinstance(part, str)]
    fixed = len(texts) == len(parsed.parts)
    template = Template(
        source=source,
        context=context,
        is_literal=fixed,
        uses=uses(parsed.references),
        _evaluate=_constant("".join(texts)) if fixed else output(parsed.parts, context),
    )
    return _Compiled(template=template, references=parsed.references)


def _constant(value: object) -> Evaluate:
    return lambda _: value


def _tokens(source: str, *, literal: bool) -> list[Token]:
    if literal:
        return [Token(offset=0, line=1, type="data", value=source)]
    from pbxrules.template.parsing import tokens

    return list(tokens(source))
