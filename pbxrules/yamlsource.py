"""YAML text as values with their places: strict scalars, every problem at once.

Values are built from libyaml's events, and a place is one number, the character at which
a value begins.  ``_members`` holds, container by container in the order in which they
end, three numbers for each member: where its key begins (in a list: the value), where its
value begins, and at which of ``_members`` the value's own members are.  The last three
are the root's.  A mapping's members stand in its dict's order.

libyaml gives up at what it cannot scan, such as ``*101#``.  Where it is clear what was
meant, U+FFFD is put over it, as long as what it hides so that places stay true, and the
text is read again; so what follows is checked too.
"""

# Over 300 lines: places, masking and reading share one state.

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from sys import intern
from typing import Any

import yaml

from pbxrules.errors import Location, Problem
from pbxrules.yamlfaults import (
    ALIAS,
    ANCHOR,
    COMMENT,
    IN_BLOCK,
    IN_FLOW,
    LINE_END,
    REST,
    SECOND,
    TAG,
    Note,
    ParserEvent,
    StopError,
    advice,
    explain,
    indent,
    unquoted_template,
)
from pbxrules.yamlplaces import within

Path = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_DIGITS = 300  # below where float() overflows and int() refuses
MAX_PROBLEMS = 1000
MAX_READINGS = 20
MANY_KEYS = 32  # in a larger mapping a key's rank is kept, not searched for

LOADER: type[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
CONSTANTS = {"true": True, "false": False, "null": None}
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?")
# What YAML refuses, and what moves or parts text unseen: byte-order marks, the line ends
# U+0085, U+2028 and U+2029, which libyaml counts and editors do not, and what comes along
# when a number is copied: zero-width spaces, word joiners, signs of direction.
UNSEEN = re.compile(
    "[^\t\n\r -~\xa0-\u200a\u200c-\u2027\u202f-\u205f\u2061-\u2065\u206a-\ud7ff"
    "\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
WIDE = "[\xa0\u2000-\u200a\u202f\u205f\u3000]"  # looks like a space and is none to YAML
INDENT = re.compile(f"^([ -]*)(?:{WIDE}[ -]*)+", re.MULTILINE)
MASK = "\ufffd"
WRITE_OUT = "write the value out at each place"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """One file's value, all that is wrong with it, and the place of every part."""

    value: Any
    """Not to be changed: places are found by it."""
    problems: list[Problem]
    """Sorted."""
    nulls: list[Path]
    """Where the word ``null`` stands.  (An empty value is a problem instead.)"""
    complete: bool
    """False if reading had to stop; *value* is then what was read so far."""
    file: str
    _text: str
    _lines: "array[int]"
    _members: "array[int]"
    _written: dict[int, str]
    _ranks: dict[int, dict[str, int]]

    def place(self, path: Sequence[str | int] = ()) -> Location:
        """Where the value at *path* begins, or its nearest parent that there is."""
        return _locate(self._find(path)[1], self.file, self._lines)

    def place_within(self, path: Sequence[str | int], offset: int) -> Location:
        """Where the character at *offset* of the text at *path* stands, if that is known."""
        _, start, value, _ = self._find(path)
        at = within(self._text, start, value, offset) if isinstance(value, str) else start
        return _locate(at, self.file, self._lines)

    def key_place(self, path: Sequence[str | int]) -> Location:
        """Where the key of the value at *path* begins; in a list, the value itself."""
        return _locate(self._find(path)[0], self.file, self._lines)

    def written(self, path: Sequence[str | int]) -> str | None:
        """The scalar at *path* as its text without quotes: ``0101``, ``1.50``, ``null``.

        None for a list, for a mapping, and where there is nothing.
        """
        _, start, value, found = self._find(path)
        if not found or isinstance(value, dict | list):
            return None
        if isinstance(value, str):
            return value
        text = self._written.get(start)
        return json.dumps(value) if text is None else text

    def is_told(self, where: Location, path: Sequence[str | int]) -> bool:
        """Whether ``problems`` has the word on what stands at *where*, the place of *path*."""
        text = self.written(path) or ""
        if not text and self._find(path)[2] is None:
            return True  # an empty value
        return any(
            told.where.line == where.line and 0 <= told.where.column - where.column <= len(text)
            for told in self.problems
        )

    def as_written(self, value: Any, path: Path) -> Any:
        """*value*, which stands at *path*, with each number in it as its text: ``0101``."""
        match value:
            case dict():
                return {key: self.as_written(value[key], (*path, key)) for key in value}
            case list():
                return [self.as_written(item, (*path, at)) for at, item in enumerate(value)]
            case bool() | str() | None:
                return value
            case int() if value:
                return str(value)  # only -0 is written otherwise
            case _:
                return self.written(path)

    def _find(self, path: Sequence[str | int]) -> tuple[int, int, Any, bool]:
        """Key's start, value's start and value at *path*; false if only of a parent."""
        value = self.value
        key, start, offset = self._members[-3:]
        for step in path:
            rank = self._rank(value, step, offset)
            if rank is None:
                return start, start, value, False
            at = offset + 3 * rank
            key, start, offset = self._members[at : at + 3]
            value = value[step]
        return key, start, value, True

    def _rank(self, value: object, step: str | int, offset: int) -> int | None:
        if isinstance(value, list):
            return step if isinstance(step, int) and 0 <= step < len(value) else None
        if not isinstance(value, dict) or step not in value:
            return None
        if len(value) <= MANY_KEYS:
            return list(value).index(step)
        if offset not in self._ranks:
            self._ranks[offset] = {key: rank for rank, key in enumerate(value)}
        return self._ranks[offset][str(step)]


def read(text: str, *, file: str) -> Document:
    r"""The one document in *text* and all that is wrong with it; nothing is raised.

    A scalar is null, a boolean or a number only if written without quotes as ``null``,
    ``true``, ``false`` or ``-?(0|[1-9][0-9]*)(\.[0-9]+)?``; all else is its text.
    *file* is only named in places.  An empty text has the value None.
    """
    text = text.removeprefix("\ufeff")
    lines = array("I", [0, *(end.end() for end in LINE_END.finditer(text))])
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        hint = "split it; all *.yaml of a folder are one rule set"
        notes = {Note(0, "too-large", "a file may hold 1 MiB, and this one is larger", hint)}
        reader, complete = Reader("", "", lines), False
        reader.run()
    else:
        notes = _unseen(text, lines)
        source = UNSEEN.sub(MASK, text) if notes else text
        notes |= _wide(text)
        source = INDENT.sub(lambda found: re.sub(WIDE, " ", found[0]), source)
        reader, complete = _read_masking(source, lines, notes)
    return Document(
        value=reader.value,
        problems=sorted(_problem(note, file, lines) for note in notes),
        nulls=reader.nulls,
        complete=complete,
        file=file,
        _text=text,
        _lines=lines,
        _members=reader.members,
        _written=reader.written,
        _ranks={},
    )


def _read_masking(source: str, lines: "array[int]", notes: set[Note]) -> tuple["Reader", bool]:
    """Read *source*, masking what stops it; whether its end was reached."""
    text = source
    for _ in range(MAX_READINGS):
        reader = Reader(source, text, lines)
        stop = reader.run()
        notes |= reader.notes
        if stop is None:
            return reader, True
        # What has no mask of its own may only be the consequence of a problem before it.
        line = bisect_right(lines, stop.note.at)
        if stop.mask or line not in {bisect_right(lines, note.at) for note in notes}:
            notes.add(stop.note)
        if stop.mask is None:
            break
        begin, end = stop.mask
        text = text[:begin] + re.sub(r"[^\r\n]", MASK, text[begin:end]) + text[end:]
    return reader, False


def _problem(note: Note, file: str, lines: "array[int]") -> Problem:
    return Problem(_locate(note.at, file, lines), note.code, note.message, note.hint)


def _locate(at: int, file: str, lines: "array[int]") -> Location:
    line = bisect_right(lines, at)
    return Location(file, line, at - lines[line - 1] + 1)


def _unseen(text: str, lines: "array[int]") -> set[Note]:
    """The first unseen character of each line; a binary file is full of them."""
    if not UNSEEN.search(text):
        return set()
    found = (UNSEEN.search(text, *line) for line in pairwise([*lines, len(text)]))
    message = "the unseen character U+{:04X} stands here"
    return {
        Note(bad.start(), "control-character", message.format(ord(bad[0])), "take it away")
        for bad in islice(filter(None, found), MAX_PROBLEMS)
    }


def _wide(text: str) -> set[Note]:
    """Where an indentation holds what only looks like a space."""
    message = "the indentation holds U+{:04X}, which only looks like a space"
    return {
        Note(at, "control-character", message.format(ord(text[at])), "use spaces")
        for at in (found.end(1) for found in islice(INDENT.finditer(text), MAX_PROBLEMS))
    }


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = (
        "again", "at_key", "flow", "items", "key", "key_start", "members", "pairs", "start",
    )  # fmt: skip

    def __init__(self, start: int, *, flow: bool, pairs: dict[str, Any] | None) -> None:
        self.start = start
        self.flow = flow
        self.items: list[Any] = []
        self.pairs = pairs  # None: a list
        self.members: list[int] = []
        self.at_key = pairs is not None
        self.key: str | None = None  # of the value that comes; None: to be dropped
        self.key_start = start
        self.again = False  # its first key came a second time


class Reader:
    """Events in, value and places out; one for each reading of a text."""

    def __init__(self, source: str, text: str, lines: "array[int]") -> None:
        self.source = source
        self.lines = lines
        self.text = text  # the same, masked
        self.notes: set[Note] = set()
        self.nulls: list[Path] = []
        self.members = array("I")
        self.written: dict[int, str] = {}
        self.frame = _Frame(0, flow=False, pairs=None)  # holds the root
        self.stack: list[_Frame] = []
        self.documents = 0
        self.anchors: set[str] = set()
        self.last: Any = None  # the event before; its kind matters

    @property
    def value(self) -> Any:
        """The document's value; of a document that was not read to its end, what was."""
        return self.frame.items[0] if self.frame.items else None

    def run(self) -> StopError | None:
        """Read all; what it stopped at, if it did."""
        handlers: dict[type, Callable[[ParserEvent], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        stop = None
        try:
            for event in iter(LOADER(self.text).get_event, None):
                if handle := handlers.get(type(event)):
                    handle(event)
                self.last = event
        except StopError as error:
            stop = error
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: chr()
            stop = explain(error, self)
        while self.stack:
            self._close()
        self.members.extend(self.frame.members or (0, 0, 0))
        return stop

    def _document(self, event: ParserEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise StopError(Note(event.start_mark.index, *SECOND))

    def _scalar(self, event: ParserEvent) -> None:
        text = event.value
        start = event.start_mark.index
        if event.tag or event.anchor:
            self._refuse(event, start)
            text = text or self.source[start : event.end_mark.index]
        if MASK in text:
            text = self._unmasked(event)
        if self.frame.at_key:
            self._key(text, start, plain=not event.style)
        elif event.style:
            self._put(text, start)
        else:
            self._put(self._plain(text, start), start)

    def _unmasked(self, event: ParserEvent) -> str:
        begin, end = event.start_mark.index, event.end_mark.index
        if event.style == '"':  # in which only backslashes are masked
            masked = self.text[begin:end] != self.source[begin:end]
            return event.value.replace(MASK, "\\") if masked else event.value
        return self.source[begin:end] if self.text[begin:end] == event.value else event.value

    def _plain(self, text: str, start: int) -> str | float | bool | None:
        if text in CONSTANTS:
            if text == "null" and (path := self._path()) is not None:
                self.nulls.append(path)
            return CONSTANTS[text]
        if not text:
            self._empty(start)
            return None
        if text[0] not in "-0123456789" or not NUMBER.fullmatch(text):
            return text
        if len(text) > MAX_DIGITS:
            self._note(start, "long-number", f"a number of over {MAX_DIGITS} digits", "quote it")
            return text
        number = float(text) if "." in text else int(text)
        if str(number) != text:
            self.written[start] = text
        return number

    def _path(self) -> Path | None:
        """The path of the value that comes; None if it will be dropped."""
        frames = [*self.stack, self.frame][1:]
        steps = [len(each.items) if each.pairs is None else each.key for each in frames]
        return None if None in steps else tuple(step for step in steps if step is not None)

    def _empty(self, start: int) -> None:
        self.written[start] = ""
        if not self.stack or self._path() is None:
            return
        in_list, key = self.frame.pairs is None, self.frame.key
        what = "this entry of the list" if in_list else f"'{key}'"
        comment = COMMENT.match(self.source, start)
        if not comment and not in_list:  # in braces it is at what follows the comment
            comment = COMMENT.match(self.source, self.last.end_mark.index)
        if comment:
            start = comment.start(1)
            hint = f"'#' begins a comment; {advice(comment[1])}"
        elif self.frame.flow and key and ":" in key:
            start = self.frame.key_start
            hint = f"write '{key.replace(':', ': ', 1)}', with a space after the colon"
        elif self.frame.flow and key and not self.source.startswith(":", self.last.end_mark.index):
            start = self.frame.key_start
            hint = f"write '{key}: …', or \"{{{{ {key} }}}}\" for a template"
        else:
            hint = 'write what is meant; an empty text is ""'
        self._note(start, "empty-value", f"{what} has no value", hint)

    def _key(self, text: str, start: int, *, plain: bool) -> None:
        frame = self.frame
        frame.at_key = False
        frame.key_start = start
        frame.key = intern(text)  # 10,000 rules spell the same few keys
        if frame.pairs and text in frame.pairs:
            self._key_again(text, start)
        elif plain and text == "<<":
            self._note(start, "merge-key", "merge keys ('<<') are not read here", "write them out")
        elif plain and not text:
            self._note(start, "empty-key", "a key is empty", 'an empty text is written ""')
        else:
            return
        frame.key = None

    def _key_again(self, text: str, start: int) -> None:
        frame = self.frame
        assert frame.pairs is not None
        rank = list(frame.pairs).index(text)
        hint = f"first in line {bisect_right(self.lines, frame.members[3 * rank])}"
        in_list = len(self.stack) > 1 and self.stack[-1].pairs is None
        if rank == 0 and in_list and not frame.flow and len(frame.pairs) > 1:
            # A second rule whose dash is missing: its other keys need no word of their own.
            frame.again = True
            hint += "; an entry of a list begins with '- '"
        elif frame.again:
            return
        self._note(start, "duplicate-key", f"'{text}' is given twice", hint)

    def _put(self, value: object, start: int, offset: int = 0) -> None:
        frame = self.frame
        if frame.pairs is None:
            frame.items.append(value)
            frame.members += (start, start, offset)
            return
        if frame.key is not None:
            frame.pairs[frame.key] = value
            frame.members += (frame.key_start, start, offset)
        frame.at_key = True

    def _open(self, event: ParserEvent) -> None:
        start = event.start_mark.index
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.anchor or event.tag:
            self._refuse(event, start)
        if mapping and self.text.startswith("{{", start):
            raise unquoted_template(start, self)
        if len(self.stack) >= MAX_DEPTH:
            raise StopError(Note(start, "too-deep", f"more than {MAX_DEPTH} levels deep"))
        if self.frame.at_key:
            message = "a list or mapping stands in a key's place"
            self._note(start, "complex-key", message, "quote it, if it is text")
        self.stack.append(self.frame)
        self.frame = _Frame(start, flow=event.flow_style, pairs={} if mapping else None)

    def _close(self, _event: ParserEvent | None = None) -> None:
        closed = self.frame
        self.frame = self.stack.pop()
        if self.frame.at_key:  # it was a complex key
            self.frame.key = None
            self.frame.at_key = False
            return
        offset = len(self.members)
        self.members.extend(closed.members)
        value = closed.items if closed.pairs is None else closed.pairs
        self._put(value, closed.start, offset)

    def _alias(self, event: ParserEvent) -> None:
        start = event.start_mark.index
        word = self.source[start : event.end_mark.index]
        known = event.anchor in self.anchors
        self._note(start, "alias", ALIAS, WRITE_OUT if known else advice(self.whole(start)))
        if self.frame.at_key:
            self._key(word, start, plain=False)
        else:
            self._put(word, start)

    def _refuse(self, event: ParserEvent, start: int) -> None:
        if event.anchor:
            self.anchors.add(event.anchor)
            one = isinstance(event, yaml.ScalarEvent)
            self._note(start, "anchor", ANCHOR, advice(self.whole(start)) if one else WRITE_OUT)
        if event.tag:
            self._note(start, "tag", TAG, advice(self.whole(start)))

    def _note(self, at: int, code: str, message: str, hint: str = "") -> None:
        if len(self.notes) >= MAX_PROBLEMS:
            message = f"over {MAX_PROBLEMS} problems, and what follows was not read"
            raise StopError(Note(at, "too-many", message))
        self.notes.add(Note(at, code, message, hint))

    def whole(self, start: int, after: int | None = None, *, rest: bool = False) -> str:
        """What was meant as one value from *start*: a key's colon ends it, unless *rest*."""
        before = self.source[indent(self.source, start) : start]
        opened = sum((char in "[{") - (char in "]}") for char in before)
        pattern = IN_FLOW if self.frame.flow or opened > 0 else REST if rest else IN_BLOCK
        match = pattern.match(self.source, start if after is None else after)
        return self.source[start : match.end() if match else start].rstrip()
