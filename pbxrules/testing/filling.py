"""A test with its templates filled in, once for every combination of its ``cases``."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from pbxrules.errors import Fault
from pbxrules.schema import Path
from pbxrules.template import (
    Context,
    Names,
    RenderError,
    Scope,
    TemplateError,
    Tree,
    compile_tree,
    template_fault,
)

MOST = 10_000
"""Combinations of one test."""
NO_TEMPLATES = ("name", "cases")
SECRET = "secret"  # noqa: S105 - a name of templates


def placeholders(secrets: Iterable[str]) -> dict[str, str]:
    """What stands for each secret in a test: of characters that no topic and no URL changes."""
    return {name: f"{SECRET}.{name}" for name in secrets}


def combinations(test: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of what a test's ``cases`` give; one with nothing where it has none."""
    given = test.get("cases", {})
    for values in islice(product(*given.values()), MOST):
        yield dict(zip(given, values, strict=True))


def compiled(
    test: Mapping[str, Any], path: Path, secrets: Iterable[str], faults: list[Fault]
) -> Tree | None:
    """The templates of the test at *path*; None, and *faults*, where they can't be."""
    names = Names(fields=frozenset(test.get("cases", ())), members={SECRET: frozenset(secrets)})
    value = {key: inner for key, inner in test.items() if key not in NO_TEMPLATES}
    try:
        return compile_tree(value, Context.VALUE, names)
    except TemplateError as exc:
        faults += [template_fault(problem, path) for problem in exc.problems]
    return None


def filled(
    test: Mapping[str, Any], tree: Tree, given: Mapping[str, Any], secrets: Iterable[str]
) -> dict[str, Any]:
    """The test with *given* filled in.

    Raises:
        RenderError: A template of it can't be.
    """
    if tree.is_literal:
        return dict(test)
    fields = {name: value for name, value in given.items() if value is not None}
    rendered: dict[str, Any] = tree.render(Scope(fields=fields, secrets=placeholders(secrets)))
    return {**{key: test[key] for key in NO_TEMPLATES if key in test}, **rendered}


__all__ = ["MOST", "RenderError", "combinations", "compiled", "filled", "placeholders"]
