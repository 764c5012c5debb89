"""What can be wrong with a time, and where in it."""

from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeProblem:
    """One thing wrong with a time that a person wrote.

    *code* is stable: ``wrong-type``, ``wrong-value``, ``unknown-key``, ``unknown-zone``,
    ``two-keys``, ``never-holds``.
    """

    path: Path
    """Where in the time; of an unknown key, the way to that key."""
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class TimeError(Exception):
    """A time can't be used; all that is wrong with it, each once, in its own order."""

    def __init__(self, problems: Iterable[TimeProblem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


class WrongError(Exception):
    """One value can't be used; what is said of it, wherever it stands."""

    def __init__(self, message: str, hint: str = "", *, code: str = "wrong-value") -> None:
        self.code = code
        self.hint = hint
        super().__init__(message)

    def at(self, path: Path) -> TimeProblem:
        """The problem that it is at *path*."""
        return TimeProblem(path=path, code=self.code, message=str(self), hint=self.hint)
