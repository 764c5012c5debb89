"""A template's text becomes its parts, by Jinja2's parser; imported when first needed."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from pbxrules.template.access import ACCESS
from pbxrules.template.operations import OPERATIONS
from pbxrules.template.parts import Expression, Parsed, Part
from pbxrules.template.problems import Finding, Token
from pbxrules.template.refusals import refused
from pbxrules.template.syntax import Compiler, spelled
from pbxrules.template.values import Context

# Only its lexer and parser are used: it renders nothing, so it has nothing to escape.
_JINJA: Final = Environment(keep_trailing_newline=True)  # noqa: S701 - see above
_TABLE: Final = {**ACCESS, **OPERATIONS}


def parse(source: str, context: Context) -> Parsed:
    """The parts of *source*; where anything is found wrong they are of no use."""
    found = _refused_source(source)
    if found is not None:
        return Parsed(findings=(found,))
    compiler = Compiler(context, _TABLE, refused)
    try:
        tree = _JINJA.parse(source)
        parts = tuple(_merged(_parts(compiler, tree)))
    except TemplateSyntaxError as exc:
        return Parsed(findings=(_syntax(exc.message or "", exc.lineno),))
    except RecursionError:
        found = Finding(code="template-refused", message="the template is nested too deeply")
        return Parsed(findings=(found,))
    except ValueError:  # int() of more than 4,300 digits
        found = Finding(code="template-refused", message="a number is too large")
        return Parsed(findings=(found,))
    return Parsed(
        parts=parts,
        references=tuple(compiler.references),
        findings=tuple(compiler.findings),
    )


def _refused_source(source: str) -> Finding | None:
    if "\r" in source:
        # Jinja2 would make it a line feed without a word.
        return Finding(
            code="template-refused",
            message="a template's text can't hold a carriage return",
            hint=r"write {{ '\r' }}",
        )
    if "{%" in source or "\\" in source:
        return next((found for token in tokens(source) if (found := _refused_token(token))), None)
    return None


_ESCAPE: Final = re.compile(r"\\([4-7][0-7]{2}|.)", re.DOTALL)
_ESCAPES: Final = frozenset("\\'\"abfnrtvxNuU\n01234567")


def _refused_token(token: Token) -> Finding | None:
    if token.type in ("block_begin", "raw_begin"):
        return Finding(
            code="template-refused",
            message="{% … %} is not there in templates",
            hint="write {{ a if test else b }}; '{{' itself is {{ '{{' }}",
            word=token.value,
            line=token.line,
        )
    if token.type == "string":
        for escape in _ESCAPE.finditer(token.value):
            # Python warns of them, and will refuse them one day.
            if escape[1] not in _ESCAPES:
                return Finding(
                    code="template-syntax",
                    message=f"'{escape[0]}' stands for nothing in a text",
                    hint=r"a backslash itself is '\\'",
                    word=escape[0],
                    line=token.line,
                    in_text=True,
                )
    return None


def tokens(source: str) -> Iterator[Token]:
    """The tokens of *source*, as far as it has any, for places."""
    offset = 0
    try:
        for line, kind, value in _JINJA.lex(source):
            # Blanks that '{{-' strips are no token, so there may be gaps.
            offset = source.index(value, offset)
            yield Token(offset=offset, line=line, type=kind, value=value)
            offset += len(value)
    except (TemplateSyntaxError, ValueError):
        return


def _parts(compiler: Compiler, tree: nodes.Template) -> Iterator[Part]:
    for output in tree.body:
        for node in output.iter_child_nodes():
            if isinstance(node, nodes.TemplateData):
                yield node.data
            else:
                yield Expression(
                    evaluate=compiler.compiled(node),
                    shown=shown if (shown := spelled(node)) != "…" else "the template",
                    literals=tuple(_literals(node)),
                )


def _merged(parts: Iterator[Part]) -> Iterator[Part]:
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _literals(node: nodes.Node) -> Iterator[str]:
    match node:
        case nodes.Const(value=str() as text):
            yield text
        case nodes.CondExpr(expr1=then, expr2=other):
            yield from _literals(then)
            if other is not None:
                yield from _literals(other)
        case nodes.Add(left=left, right=right):
            yield from _literals(left)
            yield from _literals(right)


_CURES: Final[Mapping[str, str]] = {
    "got '='": "write '==' to compare",
    "'&'": "write 'and'",
    "got '|'": "write 'or'",
    "'!'": "write 'not', or '!=' to compare",
    "unexpected '}'": "a template ends with '}}'",
    "'?'": "write 'a if test else b'",
    "'$'": "names stand by themselves: {{ caller }}",
    "end of template": "each '{{' needs its '}}'; '{{' itself is {{ '{{' }}",
    "end of print statement": "a template is '{{ … }}'; '{{' itself is {{ '{{' }}",
}
"""A part of Jinja2's message to what to do."""


def _syntax(message: str, line: int) -> Finding:
    hint = next((cure for part, cure in _CURES.items() if part in message), "")
    words = message.replace("print statement", "expression").rstrip(".")
    return Finding(code="template-syntax", message=f"not a template: {words}", hint=hint, line=line)
