"""Times, field tests, templates, and what the verbs are like."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jinja2

TRIES = {"mqtt": None, "http": None, "shell": 1, "log": 1}
"""How often each verb is tried unless told; None: until it expires."""
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


def as_text(value: Any) -> Any:
    if value is None:
        return ""
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
