r"""Patterns of texts, ``glob`` and ``regex``: for the whole value, by RE2, in linear time.

A plausible pattern of phone numbers, ``(\+?\d+[ -]?)+``, took Python's ``re`` 4.2 s on a
long caller-ID, and RE2 0.2 ms.  RE2 has no look-around and no back references for it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from pbxrules.conditions.parts import Beside, Element, FieldTestError, Passes, listed
from pbxrules.model import Key
from pbxrules.schema import shown

MAX_MEM = 1 << 20
"""Bytes that RE2 may take for one pattern; it asks for 8 MiB by default."""
ANY_CASE = "(?i)"


def glob(operand: Any, beside: Beside) -> Element:
    """The value is as one of the patterns with ``*``, ``?`` and ``[…]`` says."""
    globs = operand if isinstance(operand, list) else [operand]
    parsed = [_at(place, operand, _glob, text) for place, text in enumerate(globs)]
    patterns = [_pattern(text, beside) for text, _ in parsed]
    key = None if beside.ignore_case else _literal_key([literals for _, literals in parsed])
    return Element(
        f"glob {listed(globs)}",
        _passes(patterns),
        key or Key(kind="matches", texts=frozenset(patterns)),
    )


def regex(operand: Any, beside: Beside) -> Element:
    """The whole value is matched by one of the regular expressions."""
    texts = operand if isinstance(operand, list) else [operand]
    for place, text in enumerate(texts):
        _at(place, operand, _compiled, text)
    patterns = [_pattern(text, beside) for text in texts]
    key = Key(kind="matches", texts=frozenset(patterns))
    return Element(f"regex {listed(texts)}", _passes(patterns), key)


def options(*, max_mem: int) -> re2.Options:
    """How RE2 is to read and keep patterns; it would write what is wrong to stderr."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.never_capture = True
    chosen.max_mem = max_mem
    return chosen


def as_bytes(text: str) -> bytes:
    """*text* as RE2 reads it, whatever is in it."""
    return text.encode(errors="surrogatepass")


def _at(place: int, operand: Any, make: Any, text: str) -> Any:
    try:
        return make(text)
    except FieldTestError as exc:
        path = (place,) if isinstance(operand, list) else ()
        raise FieldTestError(path, exc.code, exc.message, exc.hint) from exc


def _pattern(text: str, beside: Beside) -> str:
    return f"{ANY_CASE}{text}" if beside.ignore_case else text


def _passes(patterns: Sequence[str]) -> Passes:
    matchers = [_compiled(pattern).fullmatch for pattern in patterns]
    if len(matchers) == 1:
        (only,) = matchers
        return lambda text: only(as_bytes(text)) is not None
    return lambda text: any(matcher(as_bytes(text)) is not None for matcher in matchers)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, options(max_mem=MAX_MEM))
    except re2.error as exc:
        reason = exc.args[0].decode(errors="replace")
        why, hint = _explained(reason)
        message = f"{shown(pattern)} is no regular expression: {why}"
        raise FieldTestError((), "bad-regex", message, hint) from exc


# --- glob -------------------------------------------------------------------------------------

_GLOB = re.compile(
    r"\*+|\?|\[(?P<no>[!^]?+)(?P<set>\][^\]]*|[^\]]+)\]|(?P<text>[^*?\[]+|\[)", re.DOTALL
)
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def _glob(text: str) -> tuple[str, tuple[str, ...]]:
    """*text* as a pattern of RE2, and its literal pieces: head, all between, tail.

    A ``[`` that no ``]`` closes is a text as any other.
    """
    pattern = ""
    literals = [""]
    for part in _GLOB.finditer(text):
        if part["text"]:
            pattern += re2.escape(part["text"])
            literals[-1] += part["text"]
            continue
        literals.append("")
        if part["set"]:
            pattern += f"[{'^' if part['no'] else ''}{''.join(_ranges(part['set'], text))}]"
        else:
            pattern += ".*" if part[0][0] == "*" else "."
    return f"(?s){pattern}", tuple(literals)


def _ranges(inside: str, text: str) -> Iterator[str]:
    for low, high, single in _RANGE.findall(inside):
        if single:
            yield re2.escape(single)
            continue
        if low > high:
            message = f"in {shown(text)} the range {low}-{high} is empty"
            raise FieldTestError((), "bad-glob", message, f"write {high}-{low}")
        yield f"{re2.escape(low)}-{re2.escape(high)}"


def _literal_key(globs: Sequence[tuple[str, ...]]) -> Key | None:
    """What is literal in each of *globs*, if anything is: that is found without any pattern."""
    if all(len(literals) == 1 for literals in globs):
        return Key(kind="equals", texts=frozenset(literals[0] for literals in globs))
    heads = frozenset(literals[0] for literals in globs)
    tails = frozenset(literals[-1] for literals in globs)
    inner = frozenset(max(literals, key=len) for literals in globs)
    shortest = {texts: min(map(len, texts)) for texts in (heads, tails, inner)}
    if shortest[heads] and shortest[heads] >= shortest[tails]:
        return Key(kind="begins", texts=heads)
    if shortest[tails]:
        return Key(kind="ends", texts=tails)
    return Key(kind="contains", texts=inner) if shortest[inner] else None


# --- what RE2 says ------------------------------------------------------------------------------

_SELF = "for the character itself write \\{}; * and ? as in file names are glob"
_NO_LOOKING = (
    "RE2 has no look-around: to leave something out, add a test such as not: {regex: …} beside it"
)
_NO_BACK = "RE2 has no back references: write it out"

_REASONS: Mapping[str, str] = {
    "missing )": "a ( is never closed",
    "unexpected )": "a ) closes nothing",
    "missing ]": "a [ is never closed",
    "no argument for repetition operator": "'{}' has nothing to repeat",
    "bad repetition operator": "'{}' repeats a repetition",
    "invalid repetition size": "'{}' is no count of repetitions",
    "invalid character class range": "'{}' is no range of characters",
    "trailing \\": "it ends in a lone \\",
    "invalid escape sequence": "'{}' has no meaning",
    "invalid perl operator": "'{}' is not known to RE2",
    "invalid named capture group": "'{}' is no name of a group",
    "pattern too large - compile failed": "it is too large",
}
"""RE2's reasons (re2.cc, ``kRegexpStringMap``) in words; {} is the part that it quotes."""

_HINTS: Sequence[tuple[str, str, str]] = (
    ("no argument", "*", _SELF),
    ("no argument", "+", _SELF),
    ("no argument", "?", _SELF),
    ("bad repetition", "", "write one of them, or put the first in (?:…)"),
    ("invalid repetition size", "", "at most 1000 in all, and the smaller number first"),
    ("unexpected )", "", "for the character itself write \\)"),
    ("missing )", "", "for the character itself write \\("),
    ("missing ]", "", "for the character itself write \\["),
    ("trailing", "", "for the character itself write \\\\"),
    ("invalid perl operator", "(?=", _NO_LOOKING),
    ("invalid perl operator", "(?!", _NO_LOOKING),
    ("invalid perl operator", "(?<", _NO_LOOKING),
    ("invalid perl operator", "(?P", _NO_BACK),
    ("invalid perl operator", "(?>", "write (?: instead"),
    ("invalid escape sequence", "\\Z", "leave it out: a regex is for the whole value anyway"),
    ("invalid escape sequence", "\\k", _NO_BACK),
    *(("invalid escape sequence", f"\\{digit}", _NO_BACK) for digit in range(1, 10)),
    ("pattern too large", "", "make it of fewer repetitions, or several tests"),
)
"""What to do, by how RE2's reason and the part that it quotes begin."""


def _explained(told: str) -> tuple[str, str]:
    """RE2's reason in words, and what to do."""
    reason, _, part = told.partition(": ")
    words = _REASONS.get(reason, told).replace("{}", part)
    fitting = (hint for why, of, hint in _HINTS if told.startswith(why) and part.startswith(of))
    return words, next(fitting, "").replace("{}", part[:1])
