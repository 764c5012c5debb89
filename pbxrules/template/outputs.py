"""What the parts of a template make together, in each of its contexts."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pbxrules.template import topics, urls
from pbxrules.template.parts import Evaluate, Expression, Fault, Part, unfit
from pbxrules.template.problems import Finding
from pbxrules.template.values import (
    Absent,
    Context,
    RenderError,
    RuleText,
    Scope,
    bounded,
    kind,
    plain,
    to_text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A context in which the author's text and a call's text are not the same."""

    code: str
    """Of what is wrong with it."""
    fault: Callable[[str], Fault | None]
    """Why the author's text can't be a part."""
    encoded: Callable[[str], str]
    """Any other text as a part."""
    finished: Callable[[Sequence[str], Sequence[int]], str]
    """The parts, and which were templates, as one text; or RenderError."""
    findings: Callable[[Sequence[Part]], list[Finding]]
    """What else is wrong before anything is filled in."""


_UNFIT_IN_ARGUMENTS: Final = re.compile("[\0\ud800-\udfff]")


def _argument_fault(text: str) -> Fault | None:
    found = _UNFIT_IN_ARGUMENTS.search(text)
    return unfit(found[0], "an argument") if found else None


def _finished_argument(pieces: Sequence[str], blanks: Sequence[int]) -> str:
    # execve() ends arguments at NUL, and a lone surrogate has no bytes in UTF-8.
    text = bounded(_UNFIT_IN_ARGUMENTS.sub("\ufffd", "".join(pieces)))
    if text.startswith("-"):
        first = next(i for i, piece in enumerate(pieces) if piece)
        if first in blanks and type(pieces[first]) is not RuleText:
            raise RenderError(
                "the argument would begin with a '-' that is not the rule's own, "
                "and be taken for an option: write text before the template"
            )
    return text


DESTINATIONS: Final[Mapping[Context, Destination]] = {
    Context.TOPIC: Destination(
        code="bad-topic",
        fault=topics.fault,
        encoded=topics.encoded,
        finished=topics.finished,
        findings=lambda _: [],
    ),
    Context.URL: Destination(
        code="bad-url",
        fault=urls.fault,
        encoded=urls.encoded,
        finished=urls.finished,
        findings=urls.findings,
    ),
    Context.ARGUMENT: Destination(
        code="bad-argument",
        fault=_argument_fault,
        encoded=lambda text: text,
        finished=_finished_argument,
        findings=lambda _: [],
    ),
}


def output(parts: Sequence[Part], context: Context) -> Evaluate:
    """What gives a whole template's value; for *parts* in which nothing was found wrong."""
    only = [part for part in parts if isinstance(part, Expression)]
    if context in DESTINATIONS:
        return _directed(parts, DESTINATIONS[context])
    if context is Context.CONDITION:
        return _condition(only[0].evaluate)
    if context is Context.VALUE and len(parts) == len(only) == 1:
        return _value(only[0].evaluate)
    return _text(parts)


def findings(parts: Sequence[Part], context: Context) -> list[Finding]:
    """What is wrong with *parts* in *context* whatever a call says."""
    if context is Context.CONDITION:
        return _condition_findings(parts)
    if context not in DESTINATIONS:
        return []
    there = DESTINATIONS[context]
    texts = [text for part in parts for text in _own_texts(part)]
    faults = [fault for text in texts if (fault := there.fault(text))]
    found = [
        Finding(code=there.code, message=one.message, hint=one.hint, word=one.word, in_text=True)
        for one in faults
    ]
    found += there.findings(parts)
    if not found and all(isinstance(part, str) for part in parts):
        try:
            there.finished(texts, ())
        except RenderError as exc:
            found.append(Finding(code=there.code, message=str(exc)))
    return found


def _own_texts(part: Part) -> Sequence[str]:
    return (part,) if isinstance(part, str) else part.literals


def _condition_findings(parts: Sequence[Part]) -> list[Finding]:
    message = hint = ""
    expressions = [part for part in parts if isinstance(part, Expression)]
    if not expressions:
        message = "a condition is a template that gives true or false"
        hint = "write '{{ … }}', or a map of tests"
    elif len(expressions) > 1 or any(isinstance(part, str) and part.strip() for part in parts):
        message = "a condition is one single '{{ … }}'"
        hint = "put it all inside the braces"
    return [Finding(code="bad-condition", message=message, hint=hint)] if message else []


def _condition(evaluate: Evaluate) -> Evaluate:
    def render(scope: Scope) -> bool:
        value = evaluate(scope)
        if value is True or value is False:
            return value
        if value is None or isinstance(value, Absent):
            return False
        raise RenderError(f"the condition gives {kind(value)}, not true or false: compare it")

    return render


def _value(evaluate: Evaluate) -> Evaluate:
    return lambda scope: plain(evaluate(scope))


def _text(parts: Sequence[Part]) -> Evaluate:
    texts, blanks = _split(parts)

    def render(scope: Scope) -> str:
        pieces = texts.copy()
        for place, blank in blanks:
            pieces[place] = to_text(blank.evaluate(scope))
        return bounded("".join(pieces))

    return render


def _split(parts: Sequence[Part]) -> tuple[list[str], list[tuple[int, Expression]]]:
    texts = [part if isinstance(part, str) else "" for part in parts]
    return texts, [(i, part) for i, part in enumerate(parts) if isinstance(part, Expression)]


def _directed(parts: Sequence[Part], there: Destination) -> Evaluate:
    texts, blanks = _split(parts)
    places = tuple(place for place, _ in blanks)

    def render(scope: Scope) -> str:
        pieces = texts.copy()
        for place, blank in blanks:
            value = blank.evaluate(scope)
            if type(value) is not RuleText:
                pieces[place] = there.encoded(_present(value, blank.shown))
            elif fault := there.fault(value):
                raise RenderError(f"{blank.shown}: {fault.message}")
            else:
                pieces[place] = value
        return there.finished(pieces, places)

    return render


def _present(value: object, shown: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Absent):
        raise RenderError(f"{value.name} is absent")
    if value is None:
        raise RenderError(f"{shown} is null")
    return to_text(value)
