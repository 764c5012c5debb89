"""Problems as programs read them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.errors import Location, Problem
from pbxrules.listing import as_github, as_json

PROBLEMS = st.builds(
    Problem,
    st.builds(Location, st.text(min_size=1), st.integers(0, 9), st.integers(1, 9)),
    st.from_regex(r"[a-z]+(-[a-z]+)?", fullmatch=True),
    st.text(),
    st.text(),
    st.sampled_from(["error", "warning"]),
)


@given(st.lists(PROBLEMS))
def test_json_has_all_of_each_problem(problems: list[Problem]) -> None:
    told = json.loads(as_json(problems))
    assert len(told) == len(problems)
    for entry, problem in zip(told, problems, strict=True):
        assert list(entry) == ["file", "line", "column", "code", "severity", "message", "hint"]
        assert (entry["file"], entry["code"]) == (problem.where.file, problem.code)
        assert (entry["message"], entry["hint"]) == (problem.message, problem.hint)
        assert entry["severity"] == problem.severity
        assert entry["line"] == (problem.where.line or None)


def unescaped(text: str) -> str:
    """*text* as GitHub's runner reads it: ActionCommand.cs of github.com/actions/runner."""
    for sign, code in ((",", "%2C"), (":", "%3A"), ("\n", "%0A"), ("\r", "%0D"), ("%", "%25")):
        text = text.replace(code, sign)
    return text


def parts(command: str) -> tuple[str, str, str]:
    """The command's name, its properties and its message, as the runner parts them."""
    name, _, rest = command.removeprefix("::").partition(" ")
    properties, _, message = rest.partition("::")
    return name, properties, message


@given(st.lists(PROBLEMS))
def test_github_reads_each_command_as_the_problem_that_it_was(problems: list[Problem]) -> None:
    text = as_github(problems)
    commands = text.split("\n") if problems else []
    assert len(commands) == len(problems)
    for command, problem in zip(commands, problems, strict=True):
        assert "\r" not in command
        kind, properties, message = parts(command)
        assert kind == problem.severity
        assert unescaped(message) == problem.advice
        told = dict(one.split("=", 1) for one in properties.split(","))
        assert unescaped(told["file"]) == problem.where.file
        assert told["title"] == problem.code
        assert ("line" in told) is bool(problem.where.line)


@pytest.mark.parametrize(
    ("problem", "command"),
    [
        pytest.param(
            Problem(Location("a,b:c.yaml", 3, 9), "x", "50 % of\nit", "do: this, now"),
            "::error file=a%2Cb%3Ac.yaml,line=3,col=9,title=x::50 %25 of%0Ait (do: this, now)",
            id="what would end a property or the command",
        ),
        pytest.param(
            Problem(Location("rules", 0, 0), "x", "gone", severity="warning"),
            "::warning file=rules,title=x::gone",
            id="a warning about a whole file",
        ),
    ],
)
def test_a_command(problem: Problem, command: str) -> None:
    assert as_github([problem]) == command


def test_nothing_wrong() -> None:
    assert as_json([]) == "[]"
    assert as_github([]) == ""
