"""Put the schemas of rules and of tests together from their parts: ``make schemas``."""

import copy
import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from pbxrules.language import bundle
from pbxrules.pbx.openvox import ACTIONS, FIELDS
from pbxrules.testing.bundling import bundle_tests

SCHEMAS = Path(__file__).parent.parent / "schemas"
PARTS = SCHEMAS / "parts"
BASE = "rules"


def documents(folder: Path) -> Iterator[tuple[str, Any]]:
    """The schemas of *folder*, by the names of their files."""
    for path in folder.glob("*.schema.json"):
        yield path.name.removesuffix(".schema.json"), json.loads(path.read_text("utf-8"))


def bundled() -> str:
    """The text of ``rules.schema.json``."""
    files = dict(documents(PARTS))
    base = files.pop(BASE)
    parts = {kind: dict(documents(PARTS / kind)) for kind in ("actions", "steps", "conditions")}
    whole = bundle(base, **parts, files=files)
    tell_editors(whole)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def bundled_tests() -> str:
    """The text of ``tests.schema.json``."""
    whole = bundle_tests(
        json.loads((PARTS / "tests" / "tests.schema.json").read_text("utf-8")),
        actions=dict(documents(PARTS / "actions")),
        examples=_examples_of_fields(),
    )
    _make_snippets(whole)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _examples_of_fields() -> dict[str, Any]:
    """What the schema of rules shows of each field."""
    fields = dict(documents(PARTS))[BASE]["$defs"]["fields"]["properties"]
    return {name: fields[name]["examples"] for name in FIELDS}


# --- For editors ----------------------------------------------------------------------------
#
# Their language servers know no keyword of ours (x-…), but some beside JSON Schema's that began
# in VS Code: errorMessage, deprecationMessage, markdownDescription, defaultSnippets.  What comes
# of them is tested in tests/test_editor.py.


def tell_editors(whole: dict[str, Any]) -> None:
    """Add to the schema *whole* what only editors make use of; it allows what it did before."""
    _describe_fields(whole["$defs"])
    _make_snippets(whole)
    _offer_no_template_inside_a_map(whole["$defs"]["condition"])


def _make_snippets(whole: dict[str, Any]) -> None:
    """Make of examples and of our own keywords what editors show and offer."""
    defs = whole["$defs"]
    for part in _maps(whole):
        if any(map(_is_snippet, part.get("examples", []))):
            _stand_alone(part, defs)
    for part in defs.values():
        _stand_alone(part, defs)
    for part in _maps(whole):
        if part.get("additionalProperties") == {"$ref": "#/$defs/test"}:
            # Not among its properties: those are the words that stand beside fields.
            part["allOf"] = [{"$ref": "#/$defs/fields"}]
        if "x-wanted" in part and "properties" not in part:
            part["errorMessage"] = f"This is not {part['x-wanted']}."
        _begin_no_list(part)
        _offer_examples(part)


def _describe_fields(defs: dict[str, Any]) -> None:
    """Say what each field is, and what each event."""
    for name, told in FIELDS.items():
        text = told.removesuffix(", …")
        known = defs["fields"]["properties"][name]
        known["description"] = f"{text[0].upper()}{text[1:]}."
    for name in ("test", "operators", "condition"):
        # An editor shows one description, and would take theirs for that of the key above.
        del defs[name]["description"]
    events = {name: _sentence(SCHEMAS / "events" / f"{name}.schema.json") for name in ACTIONS}
    events["other"] = "What nobody knows yet."
    defs["events"] = {
        "defaultSnippets": [
            {"label": name, "body": name, "description": told} for name, told in events.items()
        ]
    }


def _sentence(path: Path) -> str:
    """The first sentence of a schema's description."""
    description = json.loads(path.read_text("utf-8"))["description"]
    return re.split("[.;] ", description)[0] + "."


def _stand_alone(part: dict[str, Any], defs: dict[str, Any]) -> None:
    """Put into *part* what it refers to.

    yaml-language-server makes an ``allOf`` of a ``$ref`` and snippets beside it, and then shows
    the description of what is referred to; as it does of a ``$ref`` that leads to another.
    """
    if "$ref" in part:
        there = copy.deepcopy(defs[part.pop("$ref").removeprefix("#/$defs/")])
        part |= there | part


def _begin_no_list(part: dict[str, Any]) -> None:
    """Have a key of one value or several offered without a list begun under it.

    Nor is then an example of a list's entry offered where the list is to stand.
    """
    if "items" in part and (isinstance(part.get("type"), list) or "examples" in part):
        part |= {"if": {"type": "array"}, "then": {"items": part.pop("items")}}


def _is_snippet(example: Any) -> bool:
    """Whether yaml-language-server can't offer *example* as it stands.

    It calls a map ``[object Object]``, and does not quote what has to be quoted.
    """
    return isinstance(example, dict | list) or str(example).startswith("{{")


def _offer_examples(part: dict[str, Any]) -> None:
    """Offer maps, lists and templates as snippets."""
    examples = part.pop("examples", [])
    shown = [example for example in examples if _is_snippet(example)]
    if shown:
        part["x-example"] = examples[0]  # for hints.py, as it was written
    if len(shown) < len(examples):
        part["examples"] = [example for example in examples if example not in shown]
    if shown and "description" in part:
        blocks = "".join(f"\n\n```yaml\n{_yaml(example)}\n```" for example in shown)
        part["markdownDescription"] = part["description"] + blocks
    snippets = [
        {"label": _yaml(example, flow=True), "type": "object", "body": _body(example)}
        for example in shown
        if not _is_list_of_maps(example)
    ]
    if len(snippets) == 1 and "object" in part.get("type", ""):
        # If it were the key's own, it would be put in with the key, behind a "- " too far left.
        part["allOf"] = [*part.get("allOf", []), {"defaultSnippets": snippets}]
    elif snippets:
        part["defaultSnippets"] = snippets


def _is_list_of_maps(example: Any) -> bool:
    """Whether the entries have examples of their own; the list would be offered as one of them."""
    return isinstance(example, list) and any(isinstance(entry, dict) for entry in example)


def _offer_no_template_inside_a_map(part: dict[str, Any]) -> None:
    """Offer the templates of *part* only as long as no key of it is there."""
    texts = [one for one in part["defaultSnippets"] if isinstance(one["body"], str)]
    part["defaultSnippets"] = [one for one in part["defaultSnippets"] if one not in texts]
    part |= {"if": {"type": "object"}, "else": {"defaultSnippets": texts}}


def _body(value: Any) -> Any:
    """*value* as the body of a snippet, in which each text or number is a place to write over."""
    places = count(1)

    def place(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: place(value) for key, value in inner.items()}
        if isinstance(inner, list):
            return [place(value) for value in inner]
        text = _yaml(inner)
        for special in "\\$}":
            text = text.replace(special, f"\\{special}")
        return f"${{{next(places)}:{text}}}"

    return place(value)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that begins as a number does, not only what YAML 1.1 takes for one."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if re.match("[-+]?[0-9]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def _yaml(value: Any, *, flow: bool = False) -> str:
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True,
        width=10_000,
    )  # fmt: skip
    return text.removesuffix("...\n").strip()


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in *value*, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _maps(inner)


if __name__ == "__main__":
    (SCHEMAS / "rules.schema.json").write_text(bundled(), "utf-8")
    (SCHEMAS / "tests.schema.json").write_text(bundled_tests(), "utf-8")
