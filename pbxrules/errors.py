"""What can be wrong, said so that a person knows where to look and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a text that a person wrote; *line* and *column* count from 1.

    Without a line it is all of *file*, such as a variable of the environment or a flag.
    """

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with something a person wrote, and where to look.

    ``str()`` is one line of ``pbxrules check``.  Editors parse the
    ``file:line:column:`` prefix, and *code* never changes once released.
    """

    where: Location
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.where}: {self.code}: {self.message}{hint}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem whose place is still a path in its file."""

    path: tuple[str | int, ...]
    code: str
    message: str
    hint: str = ""
    at_key: bool = False
    """It is the key at *path* that is wrong, and not its value."""


@dataclass(frozen=True, slots=True, order=True)
class ValueProblem:
    """One thing wrong with a JSON value: a JSON pointer (RFC 6901) and a message."""

    pointer: str
    message: str


class ProblemsError(Exception):
    """Something a person wrote can't be used; all that is wrong with it, sorted."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class ReportError(Exception):
    """A report is refused: an HTTP status of the 400s and every reason for it."""

    def __init__(self, status: int, title: str, errors: Iterable[ValueProblem] = ()) -> None:
        self.status = status
        self.title = title
        self.errors = tuple(errors)
        super().__init__(title)


class StoreError(Exception):
    """The store can't read or write: locked, full or broken.  Nothing was changed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the known word nearest to *word*, else ``""``."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like *word*, else ``""``."""
    import difflib  # half a megabyte that a daemon with good rules never needs

    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


def pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer of *path*: ``("call", 0)`` is ``/call/0``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def why_unreadable(exc: OSError | UnicodeDecodeError) -> str:
    """Why a text file can't be read, and what to do."""
    if isinstance(exc, UnicodeDecodeError):
        return f"byte {exc.start + 1} is no UTF-8: save the file as UTF-8"
    return exc.strerror or str(exc)
