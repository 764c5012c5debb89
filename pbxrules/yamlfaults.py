"""What libyaml's errors mean, in a person's words, and what to mask so that it can go on."""

import re
from typing import Any, NamedTuple, Protocol

import yaml

ONE_LINE = 60  # of a hint
LINE_END = re.compile(r"\r\n?|\n")


class Mark(Protocol):
    """A place in the text: the number of a character."""

    index: int


class ParserEvent(Protocol):
    """Any of PyYAML's events; an attribute is read only where its kind has it."""

    start_mark: Mark
    end_mark: Mark
    anchor: str | None
    tag: str | None
    value: str
    style: str | None
    flow_style: bool


class Frame(Protocol):
    """The list or mapping that was being read."""

    start: int
    flow: bool


class Reading(Protocol):
    """What the reader had read when the parser stopped."""

    source: str
    """The text as it was given; ``text`` has what was masked covered."""
    text: str
    last: Any
    """The last of the parser's events, if there was one."""

    @property
    def frame(self) -> Frame:
        """The list or mapping that was being read."""

    def whole(self, start: int, after: int | None = None, *, rest: bool = False) -> str:
        """What was meant as one value from *start*."""


class Note(NamedTuple):
    """A problem whose place is still a character's number."""

    at: int
    code: str
    message: str
    hint: str = ""


class StopError(Exception):
    """Reading can't go on, unless what *mask* spans is covered."""

    def __init__(self, note: Note, mask: tuple[int, int] | None = None) -> None:
        super().__init__(note)
        self.note = note
        self.mask = mask


COMMENT = re.compile(r":?[ \t]*(#[^\s,\]}]+)")
HIDDEN = re.compile(r"[^\r\n]*?[\s,\[{](#[^\s,\]}]*)[^\r\n]*[\]}]")
PAIR = re.compile(r"([A-Za-z_][\w.-]*):([^\s:/][^\r\n]*?)(?=\s*$)", re.MULTILINE)
COMMA = re.compile(r",[ \t]*(?:#.*)?$", re.MULTILINE)
IN_FLOW = re.compile(r"[^,\[\]{}\r\n]*")
IN_BLOCK = re.compile(r".*?(?=:\s|:?\s*$|\s+#)", re.MULTILINE)
REST = re.compile(r".*?(?=\s*$|\s+#)", re.MULTILINE)

SECOND = ("second-document", "a second document begins here", "split the file")
BEGINS = "'{}' without quotes begins {} in YAML, and none are read here"
ALIAS = BEGINS.format("*", "an alias")
ANCHOR = BEGINS.format("&", "an anchor")
TAG = BEGINS.format("!", "a tag")
TEMPLATE = "YAML takes '{' without quotes for the beginning of a mapping"
MISFIT = "this does not fit under the lines before it"
COLUMNS = "keys of one mapping, and entries of one list, begin in the same column"
ESCAPE = "YAML has no such escape; in double quotes a backslash begins one"
LIST = "a list can't begin in the line of its key"


class _Fault(NamedTuple):
    """One kind of error of the parser's, in a person's words."""

    sign: str  # in the parser's own words
    message: str
    hint: str = "{advice}"
    code: str = "yaml-syntax"
    begun: bool = False  # it stands where that began in which the parser stopped
    mask: bool = True  # that one character masked, the parser can go on


FAULTS = (
    _Fault("scanning an alias", ALIAS, code="alias", begun=True),
    _Fault("scanning an anchor", ANCHOR, code="anchor", begun=True),
    _Fault("a tag", TAG, code="tag", begun=True),
    _Fault("quoted scalar", ESCAPE, r"write \\, or use single quotes"),
    _Fault("cannot start any token", "no value can begin with '{char}' without quotes"),
    _Fault("node content", "no value can begin with '{char}' without quotes"),
    _Fault("mapping keys are not", "no value can begin with '{char}' without quotes"),
    _Fault("block scalar", "behind '{char}' the text begins in the next line", begun=True),
    _Fault("directive", "no line can begin with '%' without quotes", begun=True),
    _Fault("simple key", "a line without a key", "write 'key: value'", begun=True, mask=False),
    _Fault("sequence entries", LIST, "put it in the next line; for text {advice}", mask=False),
    _Fault("mapping values", MISFIT, f"{COLUMNS}; after a key comes ': '", mask=False),
    _Fault("document start", MISFIT, COLUMNS, mask=False),
    _Fault("block mapping", MISFIT, COLUMNS, mask=False),
    _Fault("block collection", MISFIT, COLUMNS, mask=False),
    _Fault("", "YAML can't read this: {problem}", "", mask=False),
)


def explain(error: Exception, reader: Reading) -> StopError:
    """What a person should know of *error*, and what to mask if that may mend it."""
    words, at, begun, source = str(error), 0, 0, reader.source
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        words = f"{error.context or ''} {error.problem}".strip()
        at = error.problem_mark.index
        begun = error.context_mark.index if error.context_mark else at
    for special in SPECIALS:
        if stop := special(words, at, begun, reader):
            return stop
    if source.startswith("\t", at):
        return _stop(at, "a tab stands in the indentation", "use spaces")
    if "document start" in words and re.search(r"(?m)^\.\.\.", source[:at]):
        return StopError(Note(at, *SECOND))
    fault = next(fault for fault in FAULTS if fault.sign in words)
    at = begun if fault.begun else at
    if fault.message == ESCAPE:
        at = source.rfind("\\", 0, at + 1)
    if fault.sign == "mapping values":
        at = indent(source, at)
    whole = reader.whole(at)
    says = {"advice": advice(whole), "char": source[at : at + 1], "problem": words}
    note = Note(at, fault.code, fault.message.format(**says), fault.hint.format(**says))
    return StopError(note, (at, at + 1) if fault.mask and whole else None)


def _stop(at: int, message: str, hint: str, mask: tuple[int, int] | None = None) -> StopError:
    return StopError(Note(at, "yaml-syntax", message, hint), mask)


def _template_here(_words: str, at: int, _begun: int, reader: Reading) -> StopError | None:
    begins = (max(at - 1, 0), at)
    found = [at for at in begins if reader.text.startswith(("{{", "{%"), at)]
    return unquoted_template(found[0], reader) if found else None


def unquoted_template(at: int, reader: Reading) -> StopError:
    """``{{ x }}`` at *at*, to YAML a mapping that has a mapping as its key."""
    source = reader.source
    close = re.compile(r".*?[}%]}").match(source, at) or REST.match(source, at)
    end = close.end() if close else at
    begin, ended = _ended_before(at, reader)
    if ended < at or not isinstance(reader.last, yaml.ScalarEvent):  # not home/{{ x }}
        begin = at
    hint = advice(reader.whole(begin, end, rest=True))
    return StopError(Note(begin, "unquoted-template", TEMPLATE, hint), (at, end))


def _open_quote(words: str, at: int, begun: int, reader: Reading) -> StopError | None:
    """A quote that never ends, or ends where a later line's text was to begin."""
    message, hint = "the quote that opens here is not closed in its line", "close it"
    if "quoted scalar" in words and "found unexpected" in words:
        return _stop(begun, message, hint)
    begin, end = _ended_before(at, reader)
    quoted = reader.source[begin:end].startswith(("'", '"'))
    if quoted and _parted(reader.source, begin, end) and not _parted(reader.source, end, at):
        return _stop(begin, message, hint)
    return None


def _hidden_bracket(words: str, _at: int, begun: int, reader: Reading) -> StopError | None:
    """``{extension: #31#}``."""
    start = reader.frame.start if reader.frame.flow else begun
    hidden = HIDDEN.match(reader.source, start) if "parsing a flow" in words else None
    message = "'#' begins a comment, and it hides the closing bracket"
    return _stop(hidden.start(1), message, advice(hidden[1])) if hidden else None


def _second_colon(words: str, at: int, _begun: int, reader: Reading) -> StopError | None:
    """``key: value: more``."""
    in_flow = "parsing a flow" in words and reader.source.startswith(":", at)
    begin, _ = _ended_before(at, reader)
    if not (in_flow or "mapping values" in words) or _parted(reader.source, begin, at):
        return None
    if not isinstance(reader.last, yaml.ScalarEvent):
        return None
    whole = reader.whole(begin, at, rest=True)
    message = "a second ': ' stands in a value without quotes"
    hint = advice(whole)
    if in_flow and (key := re.search(r" ([A-Za-z_]+)$", reader.source[begin:at])):
        hint = f"write ',' before '{key[1]}'; for one text {hint}"
    return _stop(at, message, hint, (begin, begin + len(whole)))


def _text_behind(words: str, at: int, _begun: int, reader: Reading) -> StopError | None:
    """``"quoted" text``, ``[1] text``."""
    source = reader.source
    begin, end = _ended_before(at, reader)
    if not words.startswith(("while parsing a block mapping", "while parsing a block coll")):
        return None
    if not source[begin:end].startswith(("'", '"', "]", "}")) or _parted(source, begin, at):
        return None
    whole = reader.whole(begin, at, rest=True)
    quoted = isinstance(reader.last, yaml.ScalarEvent)
    mask = (begin, begin + len(whole)) if quoted else None
    if COMMA.match(source, at):
        return _stop(at, "a ',' stands behind a value's end", "leave it out", (at, at + 1))
    around = len(whole) > 1 and whole[0] == whole[-1]  # 'it's late', "say "{{ a }}""
    hint = advice(whole[1:-1] if around else whole if quoted else "")
    return _stop(at, "text stands behind a value's end", hint, mask)


def _no_space(words: str, _at: int, begun: int, reader: Reading) -> StopError | None:
    """``extension:101`` in a line of its own."""
    pair = PAIR.match(reader.source, begun) if "simple key" in words else None
    hint = f"write '{pair[1]}: {pair[2]}'" if pair and len(pair[0]) <= ONE_LINE else ""
    return _stop(begun, "a space is missing after the colon", hint) if pair else None


def _slashes(_words: str, at: int, _begun: int, reader: Reading) -> StopError | None:
    """``// a comment``, as other languages have it."""
    begin, _ = _ended_before(at, reader)
    slashes = isinstance(reader.last, yaml.ScalarEvent) and reader.source.startswith("//", begin)
    end = REST.match(reader.source, begin)
    mask = (begin, end.end()) if end else None
    return (
        _stop(begin, "a comment begins with '#', not with '//'", "write '#'")
        if slashes and mask
        else None
    )


def _text_not_indented(words: str, at: int, begun: int, reader: Reading) -> StopError | None:
    """The lines behind a ``|`` begin no further to the right than its key."""
    last = reader.last
    if not isinstance(last, yaml.ScalarEvent) or last.style not in ("|", ">") or last.value:
        return None
    at = begun if "simple key" in words else at
    return _stop(at, f"the text behind '{last.style}' is not indented", "begin it further right")


def _open_bracket(words: str, at: int, begun: int, reader: Reading) -> StopError | None:
    source = reader.source
    if "parsing a flow" not in words:
        return None
    start = reader.frame.start if reader.frame.flow else begun
    close = "]" if source.startswith("[", start) else "}"
    if at >= len(source) or _parted(source, start, at):
        return _stop(start, "this bracket is not closed", f"'{close}' is missing, or ','")
    if "node" in words:
        return _stop(at, f"nothing stands before this '{source[at]}'", 'write a value, or ""')
    if source[at] in "]}":
        return _stop(at, f"'{close}' is missing before '{source[at]}'", f"write '{close}'")
    message = f"',' or '{close}' is missing before '{source[at]}'"
    return _stop(at, message, "or quotes around the value")


def _ended_before(at: int, reader: Reading) -> tuple[int, int]:
    """From where to where the last event before *at* was; ``(at, at)`` if there is none."""
    last = reader.last
    return (last.start_mark.index, last.end_mark.index) if last else (at, at)


def _parted(source: str, begin: int, end: int) -> bool:
    return LINE_END.search(source, begin, end) is not None


def advice(text: str) -> str:
    """How to write *text* so that YAML takes it for a text."""
    if not 0 < len(text) <= ONE_LINE or LINE_END.search(text):
        return "put quotes around the whole value"
    if '"' in text or "\\" in text:
        text = text.replace("'", "''")
        return f"write '{text}'"
    return f'write "{text}"'


def indent(source: str, at: int) -> int:
    """Where the text of the line of *at* begins."""
    line = max(source.rfind("\n", 0, at), source.rfind("\r", 0, at)) + 1
    return line + len(source[line:at]) - len(source[line:at].lstrip())


# The first that knows the case has the word; then FAULTS.
SPECIALS = (
    _text_behind,
    _template_here,
    _open_quote,
    _hidden_bracket,
    _second_colon,
    _slashes,
    _text_not_indented,
    _no_space,
    _open_bracket,
)
