"""Problems as a person, a program and GitHub's log read them: ``pbxrules check --format``."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pbxrules.errors import Problem


def as_json(problems: Iterable[Problem]) -> str:
    """One JSON array: ``[]`` if nothing is wrong.

    An entry has ``file line column code severity message hint``; line and column are null
    where all of the file is meant, and a hint that there is not is "".
    """
    return json.dumps([_entry(problem) for problem in problems], indent=2, ensure_ascii=False)


def _entry(problem: Problem) -> dict[str, Any]:
    where = problem.where
    return {
        "file": where.file,
        "line": where.line or None,
        "column": where.column or None,
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "hint": problem.hint,
    }


def as_github(problems: Iterable[Problem]) -> str:
    """One workflow command a line, which GitHub shows beside the line of the file.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions; what to
    escape is in ``command.ts`` of github.com/actions/toolkit.
    """
    return "\n".join(map(_command, problems))


def _command(problem: Problem) -> str:
    where = problem.where
    place = {"line": where.line, "col": where.column} if where.line else {}
    told = {"file": where.file, **place, "title": problem.code}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in told.items())
    return f"::{problem.severity} {properties}::{_data(problem.advice)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: Mapping[str, Callable[[Iterable[Problem]], str]] = {
    "json": as_json,
    "github": as_github,
}
"""Beside ``text``, which is ``str()`` of each problem, in colours on a terminal."""
