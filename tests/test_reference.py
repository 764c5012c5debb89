"""The reference is made of the tables of the code, and is fresh."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbxrules import config, loading, shipped
from pbxrules.codes import CODES
from pbxrules.pbx.tables import FIELDS
from pbxrules.template import CALL, FILTERS, INSTANT, TESTS
from pbxrules.template.names import NAMED

ROOT = Path(__file__).parent.parent
PAGES = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"))["PAGES"]
LANGUAGE = loading.language()


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_tables_say(name: str) -> None:
    assert page(name) == PAGES[name](), "make docs"


def keys(part: Any) -> Iterator[str]:
    """Every key that a schema lists, with those that stand beside a verb."""
    if isinstance(part, dict):
        yield from part.get("properties", {})
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            yield from keys(inner)


def test_the_reference_has_every_word_of_the_language() -> None:
    known = {*keys(LANGUAGE.rules_schema.document), *LANGUAGE.verbs, *LANGUAGE.controls, *FIELDS}
    # 'between' of a length and the like stand in the row of what has them.
    words = known | {*LANGUAGE.events} | {f"is {name}" for name in TESTS} | {*FILTERS, *NAMED}
    words |= {f"now.{name}" for name in INSTANT} | {f"call.{name}" for name in CALL}
    words |= {*config.variables()}
    headings = {*re.findall(r"^### (\w+)$", page("reference.md"), re.MULTILINE)}
    cells = {*re.findall(r"`([^`]+)`", page("reference.md"))} | headings
    variables = config.variables()
    parents = {name for name in variables if any(n.startswith(f"{name}_") for n in variables)}
    assert words - cells - parents == set()


def test_the_page_of_tests_has_every_key_of_them() -> None:
    known = {*keys(shipped.schema("tests"))} - {*FIELDS} - {"tests"}
    arguments = {*keys(LANGUAGE.rules_schema.document), "argv", "script"}
    assert known - arguments - {*re.findall(r"`([^`]+)`", page("tests.md"))} == set()


def test_templates_may_name_what_the_reference_lists() -> None:
    names = LANGUAGE.names({})
    assert NAMED.keys() == {*names.members, "fields", "payload", "outcome"}


def test_every_code_has_its_heading() -> None:
    headings = re.findall(r"^### (.+)$", page("problems.md"), re.MULTILINE)
    assert headings == [*CODES]


def test_a_link_of_a_page_leads_somewhere() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]*(?:#[\w-]+)?)\)", path.read_text("utf-8")):
            file, _, anchor = target.partition("#")
            there = (path.parent / file) if file else path
            assert there.exists(), target
            titles = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            # As GitHub makes them: without what is no letter, digit or hyphen.
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert not anchor or anchor in anchors


def test_every_code_leads_to_pages_that_are_there() -> None:
    for what in CODES.values():
        for anchor in re.findall(r"\(reference\.md#([\w-]+)\)", what.means + what.do):
            assert re.search(
                rf"^#+ {anchor.replace('-', ' ')}$",
                page("reference.md"),
                re.MULTILINE | re.IGNORECASE,
            )
