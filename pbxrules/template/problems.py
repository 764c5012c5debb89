"""What can be wrong with a template, and where in its text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pbxrules.errors import Fault

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class TemplateProblem:
    """One thing wrong with a template that a person wrote.

    *code* is stable: ``template-syntax``, ``template-refused``, ``unknown-name``,
    ``unknown-member``, ``unknown-filter``, ``unknown-test``, ``bad-topic``,
    ``bad-url``, ``bad-argument``, ``bad-condition``.
    """

    path: Path
    """Where in a tree of templates; ``()`` for a template by itself."""
    offset: int
    """Characters of the template before the place."""
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def template_fault(problem: TemplateProblem, path: Path) -> Fault:
    """*problem* as one of the file in which the template stands at *path*."""
    return Fault(
        (*path, *problem.path), problem.code, problem.message, problem.hint, offset=problem.offset
    )


class TemplateError(Exception):
    """A template, or a tree of them, can't be used; all that is wrong, sorted."""

    def __init__(self, problems: Iterable[TemplateProblem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem whose place is known only by the line and the word that is wrong."""

    code: str
    message: str
    hint: str = ""
    word: str = ""
    """As it stands in the template; empty: the line's beginning."""
    line: int = 1
    in_text: bool = False
    """The word is a part of a text, not one of an expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a template's text."""

    offset: int
    line: int
    type: str
    """Jinja2's word for it: ``data``, ``name``, ``operator``, ``string``, …"""
    value: str


_TEXTS = ("data", "string")


def placed(
    source: str, findings: Iterable[Finding], tokens: Sequence[Token]
) -> list[TemplateProblem]:
    """The problems that *findings* are, each with its place in *source*."""
    return [
        TemplateProblem((), _offset(source, found, tokens), found.code, found.message, found.hint)
        for found in findings
    ]


def _offset(source: str, found: Finding, tokens: Sequence[Token]) -> int:
    for token in tokens:
        if found.word and token.line >= found.line:
            if found.in_text and token.type in _TEXTS and found.word in token.value:
                return token.offset + token.value.index(found.word)
            if not found.in_text and token.type not in _TEXTS and found.word == token.value:
                return token.offset
    lines = source.split("\n")
    return sum(len(line) + 1 for line in lines[: found.line - 1])
