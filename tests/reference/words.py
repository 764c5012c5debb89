"""Times, field tests, templates, and what the verbs are like."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jinja2

TRIES = {"mqtt": None, "http": None, "shell": 1, "log": 1}
"""How often each verb is tried unless told; None: until it expires."""
Scripts = Mapping[str, Sequence[Mapping[str, Any]]]
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    number = text.rstrip("msh")
    return int(number) * UNITS_S[text.removeprefix(number)]


def listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def all_waits(value: Any) -> Iterator[Mapping[str, Any]]:
    """Each ``wait_for`` inside a step, at whatever depth."""
    for inner in value.values() if isinstance(value, Mapping) else value:
        if isinstance(inner, Mapping) and "wait_for" in inner:
            yield inner
        if isinstance(inner, Mapping | list):
            yield from all_waits(inner)


def tests_of(trigger: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in trigger.items() if k not in ("for", "until", "count", "id")}


def fits(tests: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
    return all(fields.get(name) in listed(wanted) for name, wanted in tests.items())


def is_bound(first: Any) -> bool:
    """Whether a name of the state is bound to a topic."""
    return isinstance(first, Mapping)


def with_scripts(rule: Mapping[str, Any], scripts: Scripts) -> dict[str, Any]:
    """The rule with the steps of its scripts put in, each with the variables of its script."""
    return {**rule, "actions": [*_put_in(rule["actions"], scripts, None)]}


def _put_in(steps: Any, scripts: Scripts, given: Any) -> Iterator[Any]:
    for step in steps:
        if "script" in step:
            called = step["script"]
            yield from _put_in(scripts[called["name"]], scripts, called.get("with", {}))
        else:
            yield _inside(step, scripts, given) | ({} if given is None else {"vars": given})


def _inside(step: Mapping[str, Any], scripts: Scripts, given: Any) -> dict[str, Any]:
    """A step with the scripts put in that stand in its lists."""
    found = dict(step)
    for key in ("then", "else", "default", "do"):
        if isinstance(found.get(key), list):  # a wait_for's 'else' is a word
            found[key] = [*_put_in(found[key], scripts, given)]
    if "choose" in found:
        found["choose"] = [_inside(branch, scripts, given) for branch in found["choose"]]
    if "repeat" in found:
        found["repeat"] = _inside(found["repeat"], scripts, given)
    if given is not None and "parallel" in found:
        found["parallel"] = [{**action, "vars": given} for action in found["parallel"]]
    return found


def as_text(value: Any) -> Any:
    if value is None:
        return "null"  # as JSON has it; what is not there at all is empty
    return str(value).lower() if isinstance(value, bool) else value


ENVIRONMENT = jinja2.Environment(  # noqa: S701 - it makes no page
    finalize=as_text, undefined=jinja2.ChainableUndefined
)


@lru_cache(maxsize=10_000)
def template(text: str) -> jinja2.Template:
    return ENVIRONMENT.from_string(text)


@lru_cache(maxsize=10_000)
def expression(text: str) -> Any:
    return ENVIRONMENT.compile_expression(text)


def evaluated(value: Any, names: Mapping[str, Any]) -> Any:
    """A value; of a single template its value."""
    if isinstance(value, str) and value.startswith("{{"):
        return expression(value.removeprefix("{{").removesuffix("}}").strip())(**names)
    return value
